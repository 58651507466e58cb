package record

import (
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// text is bytes of the kernel's that may be no UTF-8, as a JSON string: a byte
// that is not part of a valid rune is written \xNN, and a backslash twice.
type text []byte

// MarshalJSON never fails.
func (t text) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, len(t)+8)
	for b := t; len(b) > 0; {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, '\\', 'x', hexDigits[b[0]>>4], hexDigits[b[0]&15])
		case r == '\\':
			out = append(out, '\\', '\\')
		default:
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return json.Marshal(string(out))
}

const hexDigits = "0123456789abcdef"

var errEscape = errors.New(`a backslash that begins neither \\ nor \xNN`)

// UnmarshalJSON takes back what MarshalJSON gave, and nothing else.
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	out := make(text, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		b, n, err := unescape(s[i:])
		if err != nil {
			return err
		}
		out = append(out, b)
		i += n - 1
	}
	*t = out
	return nil
}

// unescape reads the escape that s begins with.
func unescape(s string) (b byte, n int, err error) {
	if len(s) >= 2 && s[1] == '\\' {
		return '\\', 2, nil
	}
	if len(s) < 4 || s[1] != 'x' {
		return 0, 0, errEscape
	}
	v, err := strconv.ParseUint(s[2:4], 16, 8)
	if err != nil || v < utf8.RuneSelf {
		return 0, 0, errEscape
	}
	return byte(v), 4, nil
}
