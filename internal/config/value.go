package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// units of sizes; the single letters are binary, as systemd and the kernel
// read them.
var units = []struct {
	name string
	size uint64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3},
	{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10},
	{"B", 1},
}

// errUnit is what a bare number gets where a unit is wanted.
var errUnit = errors.New("needs a unit")

// ParseSize reads "64MiB", "64M" (binary), "64MB" (decimal), "1.5GiB" or "0" as
// bytes.
func ParseSize(s string) (uint64, error) {
	if s == "0" {
		return 0, nil
	}
	for _, u := range units {
		if number, ok := strings.CutSuffix(s, u.name); ok {
			return scale(strings.TrimSpace(number), u.size)
		}
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, errUnit
	}
	return 0, errors.New("is no size")
}

// scale multiplies a decimal number with a unit. Whole numbers stay exact.
func scale(number string, unit uint64) (uint64, error) {
	if n, err := strconv.ParseUint(number, 10, 64); err == nil {
		if n > math.MaxInt64/unit {
			return 0, errors.New("is more than a machine can have")
		}
		return n * unit, nil
	}
	if !decimal(number) {
		return 0, errors.New("is no size")
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f*float64(unit) > math.MaxInt64/2 {
		return 0, errors.New("is more than a machine can have")
	}
	return uint64(math.Round(f * float64(unit))), nil
}

// decimal tells whether s is digits with at most one point.
func decimal(s string) bool {
	whole, fraction, _ := strings.Cut(s, ".")
	return digits(whole) && (fraction == "" || digits(fraction))
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// FormatSize gives the shortest exact spelling, in binary units.
func FormatSize(n uint64) string {
	if n == 0 {
		return "0"
	}
	for _, u := range units[:4] {
		if n%u.size == 0 {
			return strconv.FormatUint(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatUint(n, 10) + "B"
}

// ParseTime reads "70ms", "1.5s", "1m30s", "1h" or "0".
func ParseTime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err == nil && d%time.Microsecond != 0:
		return 0, errors.New("is finer than a microsecond")
	case err == nil:
		return d, nil
	case decimal(strings.TrimPrefix(s, "-")):
		return 0, errUnit
	}
	return 0, errors.New("is no time")
}

// FormatTime gives the shortest spelling: "1m" for a minute.
func FormatTime(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// ParsePercent reads a whole percentage, "10%", or "0".
func ParsePercent(s string) (int, error) {
	if s == "0" {
		return 0, nil
	}
	number, ok := strings.CutSuffix(s, "%")
	number = strings.TrimSpace(number)
	switch n, err := strconv.Atoi(number); {
	case err == nil && !ok:
		return 0, errors.New("needs its % sign")
	case err == nil:
		return n, nil
	case ok && decimal(number) && strings.Contains(number, "."):
		return 0, errors.New("is not a whole percentage")
	}
	return 0, errors.New("is no percentage")
}

func formatPercent(n int) string { return strconv.Itoa(n) + "%" }

// parseRate reads a size a second, "4GiB/s", or "0".
func parseRate(s string) (uint64, error) {
	if s == "0" {
		return 0, nil
	}
	size, ok := strings.CutSuffix(s, "/s")
	if !ok {
		return 0, errors.New("needs its /s")
	}
	n, err := ParseSize(size)
	if err != nil {
		return 0, errors.New("is no size a second")
	}
	return n, nil
}

func formatRate(n uint64) string {
	if n == 0 {
		return "0"
	}
	return FormatSize(n) + "/s"
}

// ratio is a whole number over another, or what the kernel measures in its place.
type ratio struct {
	over, under int
	measured    bool
}

const measured = "measured"

// parseRatio reads "measured", "263/100", "2.63" or "3".
func parseRatio(s string) (ratio, error) {
	if s == measured {
		return ratio{measured: true}, nil
	}
	if a, b, ok := strings.Cut(s, "/"); ok {
		over, err1 := strconv.Atoi(strings.TrimSpace(a))
		under, err2 := strconv.Atoi(strings.TrimSpace(b))
		if err1 != nil || err2 != nil {
			return ratio{}, errors.New("is no ratio")
		}
		return ratio{over: over, under: under}.check()
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if !decimal(s) || len(s) > 9 {
		return ratio{}, errors.New("is no ratio")
	}
	r := ratio{under: 1}
	for range fraction {
		r.under *= 10
	}
	r.over, _ = strconv.Atoi(whole + fraction)
	return r.check()
}

// check keeps both numbers so small that their product with the size of any
// memory fits 64 bits.
func (r ratio) check() (ratio, error) {
	if r.over < 0 || r.over > 1000*r.under || r.over > 100_000 || r.under < 1 || r.under > 100_000 {
		return ratio{}, rangeError("is out of range: 0 to 1000, with at most 100000 on either side of the line")
	}
	return r, nil
}

func formatRatio(r ratio) string {
	if r.measured {
		return measured
	}
	if r.under == 1 {
		return strconv.Itoa(r.over)
	}
	return fmt.Sprintf("%d/%d", r.over, r.under)
}

func parseNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, errors.New("is no whole number")
	}
	return n, nil
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("is neither true nor false")
}

// off is how a text that names nothing is written.
const off = "off"

func formatText(s string) string {
	if s == "" {
		return off
	}
	return s
}

// parseListen reads "host:port", ":port", "unix:/path" or "off".
func parseListen(s string) (string, error) {
	if s == off {
		return "", nil
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) || len(path) > 107 {
			return "", errors.New("names no absolute path of at most 107 bytes")
		}
		return s, nil
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", errors.New("is no host:port (an IPv6 address stands in [ ])")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("has no port between 1 and 65535")
	}
	return s, nil
}

// Auto, as a socket, is the usual place.
const Auto = "auto"

// parseSocket reads the path of a Unix socket, "auto" or "off".
func parseSocket(s string) (string, error) {
	switch {
	case s == Auto:
		return s, nil
	case s == off:
		return "", nil
	case !filepath.IsAbs(s) || len(s) > 107:
		return "", errors.New("is no absolute path of at most 107 bytes")
	}
	return s, nil
}

// parseFile reads an absolute path or "off".
func parseFile(s string) (string, error) {
	if s == off {
		return "", nil
	}
	if !filepath.IsAbs(s) {
		return "", errors.New("is no absolute path")
	}
	return s, nil
}
