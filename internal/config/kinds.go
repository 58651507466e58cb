package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The kinds of values, each with the way in which a person writes it.
var (
	sizes    = codec[uint64]{"a size such as 64MiB", ParseSize, FormatSize}
	rates    = codec[uint64]{"a rate such as 512MiB/s", parseRate, formatRate}
	times    = codec[time.Duration]{"a time such as 70ms", ParseTime, FormatTime}
	percents = codec[int]{"a percentage such as 10%", ParsePercent, formatPercent}
	numbers  = codec[int]{"a whole number", parseNumber, strconv.Itoa}
	switches = codec[bool]{"true or false", parseBool, strconv.FormatBool}
	targets  = codec[pressure.Targets]{"up to 6 pairs of pages and oom_score_adj such as 18432:0,46080:900, or off", parseTargets, formatTargets}

	// switchedOff is a switch whose name says the contrary of its field.
	switchedOff = codec[bool]{"true or false", negate(parseBool), func(b bool) string { return strconv.FormatBool(!b) }}

	listens  = codec[string]{"host:port, unix:/path or off", parseListen, formatText}
	sockets  = codec[string]{"auto, off or the absolute path of a socket", parseSocket, formatText}
	users    = codec[uint32]{"a list of users such as [root, 1000]", parseUser, formatUser}
	files    = codec[string]{"an absolute path or off", parseFile, formatText}
	profiles = codec[Profile]{"linux, android or embedded", parseProfile, Profile.String}
	ratios   = codec[ratio]{"measured, a ratio such as 2.63 or 263/100, or 0", parseRatio, formatRatio}
	variants = codec[pressure.Variant]{"android17 or android15", parseVariant, formatVariant}
	bands    = codec[int16]{"a list of numbers from 1000 down to -999 such as [900, 0]", parseBand, formatBand}
	names    = codec[string]{"a list of task names such as [sshd, Xorg]", parseName, strconv.Quote}
	rolls    = codec[victim.RollUse]{"only, first, beside or off", parseRoll, victim.RollUse.String}
	words    = codec[bool]{"client or kernel", parseWord, formatWord}

	// Android's properties are bare numbers in a unit that their name tells.
	millis = codec[time.Duration]{"a whole number of milliseconds", parseMillis, formatMillis}
	kilos  = codec[uint64]{"a whole number of KiB", parseKilos, formatKilos}
)

func parseProfile(s string) (Profile, error) {
	for i, name := range profileNames {
		if s == name {
			return Profile(i), nil
		}
	}
	return 0, errors.New("is no profile")
}

func negate(parse func(string) (bool, error)) func(string) (bool, error) {
	return func(s string) (bool, error) {
		b, err := parse(s)
		return !b, err
	}
}

// pageShift: minfree levels are counted in pages of 4KiB, as every phone that
// sets them has them.
const pageShift = 12

// parseTargets reads what sys.lmk.minfree_levels holds.
func parseTargets(s string) (t pressure.Targets, err error) {
	if s == off {
		return t, nil
	}
	pairs := strings.Split(s, ",")
	if len(pairs) > len(t) {
		return t, errors.New("has more than 6 pairs")
	}
	for i, pair := range pairs {
		pages, adj, _ := strings.Cut(strings.TrimSpace(pair), ":")
		n, err1 := strconv.ParseUint(pages, 10, 40)
		score, err2 := strconv.ParseInt(adj, 10, 16)
		if err1 != nil || err2 != nil || n == 0 || score < -1000 || score > 1000 {
			return t, errors.New("is no list of pages:oom_score_adj")
		}
		t[i] = pressure.Minfree{Bytes: n << pageShift, MinAdj: int16(score)}
	}
	return t, nil
}

func formatTargets(t pressure.Targets) string {
	var pairs []string
	for _, target := range t {
		if target.Bytes > 0 {
			pairs = append(pairs, fmt.Sprintf("%d:%d", target.Bytes>>pageShift, target.MinAdj))
		}
	}
	return formatText(strings.Join(pairs, ","))
}

func parseVariant(s string) (pressure.Variant, error) {
	for _, v := range []pressure.Variant{pressure.V17, pressure.V15} {
		if s == formatVariant(v) {
			return v, nil
		}
	}
	return 0, errors.New("is no release whose rules are known")
}

func formatVariant(v pressure.Variant) string {
	if v == pressure.V15 {
		return "android15"
	}
	return "android17"
}

func parseRoll(s string) (victim.RollUse, error) {
	for _, u := range victim.RollUses() {
		if s == u.String() {
			return u, nil
		}
	}
	return 0, errors.New("is no place for registered processes")
}

// parseWord tells whose oom_score_adj of a registered process holds; true is the
// kernel's.
func parseWord(s string) (bool, error) {
	if s != formatWord(true) && s != formatWord(false) {
		return false, errors.New("has no oom_score_adj to give")
	}
	return s == formatWord(true), nil
}

func formatWord(kernel bool) string {
	if kernel {
		return "kernel"
	}
	return "client"
}

func formatUser(uid uint32) string { return strconv.FormatUint(uint64(uid), 10) }

func parseBand(s string) (int16, error) {
	n, err := strconv.ParseInt(s, 10, 16)
	if err != nil || n < -999 || n > 1000 {
		return 0, errors.New("is no oom_score_adj from -999 to 1000")
	}
	return int16(n), nil
}

func formatBand(v int16) string { return strconv.Itoa(int(v)) }

// parseName takes what /proc/PID/comm can show: the kernel cuts the rest off,
// and a longer name would never match.
func parseName(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("is empty")
	case len(s) >= victim.CommSize:
		return "", errors.New("is longer than the 15 bytes that the kernel keeps of a task name")
	}
	return s, nil
}

func parseMillis(s string) (time.Duration, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, errors.New("is no number of milliseconds")
	}
	return time.Duration(n) * time.Millisecond, nil
}

func formatMillis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func parseKilos(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 43)
	if err != nil {
		return 0, errors.New("is no number of KiB")
	}
	return n << 10, nil
}

func formatKilos(n uint64) string { return strconv.FormatUint(n>>10, 10) }
