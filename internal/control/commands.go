package control

import (
	"errors"
	"fmt"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/lmkproto"
)

// toldErrors is how many mistakes of one client are told; the rest are counted.
const toldErrors = 8

// turnPackets is how many packets of one client are read before others get a turn.
const turnPackets = 64

// read takes the packets that a client sent.
func (a *Android) read(c *client) {
	for range turnPackets {
		n, from, known, e := sys.ReceivePacket(c.conn.Int(), a.buf[:])
		switch {
		case e == sys.EAGAIN:
			return
		case e != 0 || n == 0 && !known:
			a.hangUp(c)
			return
		case !known:
			a.complain(c, errors.New("a packet without a sender that can be told; the connection ends"))
			a.hangUp(c)
			return
		}
		a.sentBy(c, from)
		a.active++
		c.active = a.active
		if err := a.packet(c, n); err != nil {
			a.complain(c, err)
		}
	}
}

// sentBy notes who sent the packet: whoever holds the socket now counts, not who
// once connected.
func (a *Android) sentBy(c *client, from sys.Credentials) {
	if before := c.pid; before != from.PID {
		c.pid = from.PID
		a.leave(before)
	}
	c.uid, c.trusted = from.UID, a.trusts(from.UID)
}

// packet does what a packet of n bytes asks. An error changed nothing, and ends
// nothing.
func (a *Android) packet(c *client, n int) error {
	if n > lmkproto.MaxRequest {
		return fmt.Errorf("a packet of %d bytes, %d is the most", n, lmkproto.MaxRequest)
	}
	var r lmkproto.Request
	if err := r.Decode(a.buf[:n]); err != nil {
		return err
	}
	return prefix(r.Command, a.execute(c, &r))
}

func prefix(c lmkproto.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%v: %w", c, err)
}

func (a *Android) execute(c *client, r *lmkproto.Request) error {
	switch r.Command {
	case lmkproto.Target:
		return a.setTargets(&c.caller, r.Levels[:r.Count])
	case lmkproto.ProcPrio, lmkproto.ProcsPrio:
		return a.registerAll(c, r.Procs[:r.Count])
	case lmkproto.ProcRemove:
		return a.remove(&c.caller, r.PID)
	case lmkproto.ProcPurge:
		a.purge(&c.caller)
	case lmkproto.GetKillCount:
		return a.reply(c, r.Command, a.kills.between(r.MinAdj, r.MaxAdj))
	case lmkproto.Subscribe:
		if err := r.Event.Check(); err != nil {
			return err
		}
		c.subscribed[r.Event] = true
	case lmkproto.UpdateProps:
		return errors.Join(errors.New("settings are read at the start alone: restart the daemon"), a.reply(c, r.Command, -1))
	case lmkproto.BootCompleted:
		return a.bootCompleted(c)
	case lmkproto.StartMonitoring:
		return a.boot(c)
	}
	return nil
}

// boot lets the daemon begin, if it waits for that.
func (a *Android) boot(c *client) error {
	switch {
	case a.opt.Boot == nil || a.booted:
		return nil
	case !c.trusted:
		return fmt.Errorf("uid %d is not trusted (control.trusted)", c.uid)
	}
	a.booted = true
	a.opt.Boot()
	return nil
}

// bootCompleted answers 0 when the daemon begins by it, 1 when there was nothing
// to wait for.
func (a *Android) bootCompleted(c *client) error {
	waited := a.opt.Boot != nil && !a.booted
	err := a.boot(c)
	switch {
	case err != nil:
		return errors.Join(err, a.reply(c, lmkproto.BootCompleted, -1))
	case waited:
		return a.reply(c, lmkproto.BootCompleted, 0)
	}
	return a.reply(c, lmkproto.BootCompleted, 1)
}

// registerAll registers one after the other; one that is refused does not keep the
// others out.
func (a *Android) registerAll(c *client, procs []lmkproto.Proc) error {
	var errs []error
	for i := range procs {
		if err := a.register(&c.caller, &procs[i]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// reply answers a question. What was asked before it holds by then. A client that
// does not read its answers gets none.
func (a *Android) reply(c *client, command lmkproto.Command, value int32) error {
	a.publish()
	m := lmkproto.Message{Command: command, Value: value}
	if e := sys.SendPacket(c.conn.Int(), m.Append(a.out[:0])); e != 0 {
		return fmt.Errorf("reply: %w", e)
	}
	return nil
}

func (a *Android) complain(c *client, err error) {
	c.errors++
	switch {
	case c.errors <= toldErrors:
		a.opt.Say("control: %v: %v", c, err)
	case c.errors == toldErrors+1:
		a.opt.Say("control: %v makes more mistakes, which are only counted", c)
	}
}
