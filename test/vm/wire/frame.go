package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// Kind says what a frame carries.
type Kind byte

// The kinds of frames, in the order in which a run has them.
const (
	KindReady  Kind = 'R' // a Ready
	KindStdout Kind = 'o' // bytes the job wrote
	KindStderr Kind = 'e'
	KindFile   Kind = 'f' // a result file begins: its path below OutDir
	KindData   Kind = 'd' // the file's next bytes
	KindEnd    Kind = 'X' // an End; the last frame
)

// MaxPayload is the most that one frame carries, in bytes.
const MaxPayload = 16 << 10

// magic begins each frame: kind, length and payload follow, then the CRC-32 of
// those three.
const magic = "\x00LMV"

const headerSize = len(magic) + 1 + 4

// Writer writes frames; its methods may be called from several goroutines.
type Writer struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// NewWriter gives a Writer on the line w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, buf: make([]byte, 0, headerSize+MaxPayload+4)}
}

// Bytes writes p in as many frames of the kind as it needs, one at least.
func (w *Writer) Bytes(k Kind, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		n := min(len(p), MaxPayload)
		if err := w.frame(k, p[:n]); err != nil {
			return fmt.Errorf("write frame: %w", err)
		}
		if p = p[n:]; len(p) == 0 {
			return nil
		}
	}
}

// JSON writes v, encoded, as one frame.
func (w *Writer) JSON(k Kind, v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	if len(p) > MaxPayload {
		return fmt.Errorf("encode frame: %d bytes, more than one frame carries", len(p))
	}
	return w.Bytes(k, p)
}

func (w *Writer) frame(k Kind, p []byte) error {
	b := append(w.buf[:0], magic...)
	b = append(b, byte(k))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
	b = append(b, p...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[len(magic):]))
	_, err := w.w.Write(b)
	return err
}

// Reader finds the frames in a line that may carry noise between them.
type Reader struct{ r *bufio.Reader }

// NewReader gives a Reader of the line r.
func NewReader(r io.Reader) *Reader {
	return &Reader{bufio.NewReaderSize(r, headerSize+MaxPayload+4)}
}

// Next gives the next whole frame; the payload is the caller's. What is no
// frame is passed over. The error is the line's own, io.EOF at its end.
func (r *Reader) Next() (Kind, []byte, error) {
	for {
		head, err := r.r.Peek(headerSize)
		if err != nil {
			return 0, nil, err
		}
		if k, p, ok := r.whole(head); ok {
			return k, p, nil
		}
		if _, err := r.r.Discard(1); err != nil {
			return 0, nil, err
		}
	}
}

// whole takes the frame that starts here, if one does.
func (r *Reader) whole(head []byte) (Kind, []byte, bool) {
	size := int64(binary.LittleEndian.Uint32(head[len(magic)+1:]))
	if string(head[:len(magic)]) != magic || size > MaxPayload {
		return 0, nil, false
	}
	kind := Kind(head[len(magic)])
	end := headerSize + int(size)
	b, err := r.r.Peek(end + 4)
	if err != nil || crc32.ChecksumIEEE(b[len(magic):end]) != binary.LittleEndian.Uint32(b[end:]) {
		return 0, nil, false
	}
	payload := append([]byte(nil), b[headerSize:end]...)
	_, err = r.r.Discard(end + 4)
	return kind, payload, err == nil
}
