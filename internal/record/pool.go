package record

// pool lends its items to slots. It belongs to the producer; an item belongs to
// whoever owns the slot that refers to it.
type pool[T any] struct {
	items  []T
	holder []*slot // who was lent the item last
	next   int
	ref    func(*slot) *int16 // where a slot keeps the index of its item
	cut    Cut                // what a slot lacks without its item
}

func newPool[T any](n int, ref func(*slot) *int16, cut Cut) pool[T] {
	return pool[T]{items: make([]T, n), holder: make([]*slot, n), ref: ref, cut: cut}
}

// lend gives s the item that was lent longest ago, and takes it away from its
// holder. An item under the reader's eyes is passed over; with no other one s
// goes without.
func (p *pool[T]) lend(s *slot) *T {
	for range p.items {
		i := p.next
		p.next = (p.next + 1) % len(p.items)
		if !p.takeBack(int16(i), s) {
			continue
		}
		p.holder[i] = s
		*p.ref(s) = int16(i)
		return &p.items[i]
	}
	s.cut |= p.cut
	return nil
}

// takeBack makes the holder of item i forget it, false when the reader owns
// the holder. The slot that is being written needs no asking.
func (p *pool[T]) takeBack(i int16, writing_ *slot) bool {
	h := p.holder[i]
	if h == nil || h == writing_ {
		return true
	}
	for {
		state := h.state.Load()
		if state == reading {
			return false
		}
		if h.state.CompareAndSwap(state, writing) {
			if *p.ref(h) == i {
				*p.ref(h), h.cut = -1, h.cut|p.cut
			}
			h.state.Store(state)
			return true
		}
	}
}
