package victim

import "strconv"

// Runtime is who made a container, as far as the path of its cgroup tells.
type Runtime uint8

// The runtimes.
const (
	None       Runtime = iota
	Docker             // docker-ID.scope, /docker/ID
	Containerd         // cri-containerd-ID.scope
	CRIO               // crio-ID.scope
	Podman             // libpod-ID.scope, /libpod_parent/libpod-ID
	Kubernetes         // an id below a pod whose path does not name the runtime
	LXC                // /lxc/NAME, /lxc.payload.NAME
	Nspawn             // a machine's scope of systemd
)

var runtimeText = [...]string{"", "docker", "containerd", "cri-o", "podman", "kubernetes", "lxc", "nspawn"}

var runtimeBytes = func() (out [len(runtimeText)][]byte) {
	for i, s := range runtimeText {
		out[i] = []byte(s)
	}
	return out
}()

func (r Runtime) String() string { return runtimeText[r] }

func (r Runtime) text() []byte { return runtimeBytes[r] }

// Home is where a process belongs by the path of its cgroup. The texts are
// slices of that path, or empty.
type Home struct {
	Runtime   Runtime
	Container []byte // the container's id, as the path gives it
	Pod       []byte // uid of the pod; the systemd driver writes _ for -
	Unit      []byte // the innermost unit of systemd that is no slice
	Slice     []byte // the innermost slice
	User      uint32 // by user-UID.slice
	HasUser   bool
}

// ParseCgroup takes a path of /proc/PID/cgroup apart. What it does not know is
// left empty; nothing is an error.
func ParseCgroup(path []byte) Home {
	var h Home
	var before []byte
	for len(path) > 0 {
		var part []byte
		part, path = cut(path, '/')
		if len(part) > 0 {
			h.part(part, before)
			before = part
		}
	}
	return h
}

// part looks at one part of the path; before is the one that holds it.
func (h *Home) part(part, before []byte) {
	if name, ok := trim(part, "", ".slice"); ok {
		h.slice(part, name)
		return
	}
	if name, ok := trim(part, "", ".scope"); ok {
		h.Unit = part
		h.scope(name, before)
		return
	}
	if _, ok := trim(part, "", ".service"); ok {
		h.Unit = part
		return
	}
	h.plain(part, before)
}

// slice looks at "user-1000.slice" and at what kubelet's systemd driver makes,
// "kubepods-burstable-podUID.slice".
func (h *Home) slice(whole, name []byte) {
	h.Slice = whole
	if uid, ok := trim(name, "user-", ""); ok {
		if n, err := strconv.ParseUint(string(uid), 10, 32); err == nil {
			h.User, h.HasUser = uint32(n), true
		}
	}
	if _, ok := trim(name, "kubepods", ""); !ok {
		return
	}
	for i := 0; i+4 < len(name); i++ {
		if string(name[i:i+4]) == "-pod" && isUID(name[i+4:]) {
			h.Pod = name[i+4:]
			return
		}
	}
}

// scopes are how runtimes name the scope of a container.
var scopes = [...]struct {
	prefix  string
	runtime Runtime
}{
	{"docker-", Docker}, {"cri-containerd-", Containerd}, {"nerdctl-", Containerd},
	{"crio-", CRIO}, {"libpod-", Podman}, {"lxc-", LXC},
}

func (h *Home) scope(name, before []byte) {
	for i := range scopes {
		if id, ok := trim(name, scopes[i].prefix, ""); ok && isID(id) {
			h.Runtime, h.Container = scopes[i].runtime, id
			return
		}
	}
	// "crio-conmon-ID" and "libpod-conmon-ID" are the monitor outside of it.
	if id, ok := trim(name, "machine-", ""); ok && string(before) == "machine.slice" {
		h.Runtime, h.Container = Nspawn, id
	}
}

// plain looks at a part that systemd did not make.
func (h *Home) plain(part, before []byte) {
	if uid, ok := trim(part, "pod", ""); ok && isUID(uid) {
		h.Pod = uid
		return
	}
	if id, ok := trim(part, "libpod-", ""); ok && isID(id) {
		h.Runtime, h.Container = Podman, id
		return
	}
	if id, ok := trim(part, "crio-", ""); ok && isID(id) {
		h.Runtime, h.Container = CRIO, id
		return
	}
	if name, ok := trim(part, "lxc.payload.", ""); ok && h.Runtime == None {
		h.Runtime, h.Container = LXC, name
		return
	}
	switch {
	case string(before) == "lxc" && h.Runtime == None:
		h.Runtime, h.Container = LXC, part
	case string(before) == "docker" && isID(part):
		h.Runtime, h.Container = Docker, part
	case len(h.Pod) > 0 && h.Runtime == None && isID(part):
		h.Runtime, h.Container = Kubernetes, part
	default:
		h.containerd(part)
	}
}

// containerd looks at what its cgroup plugin makes of "SLICE:PREFIX:ID" where
// systemd does not read it.
func (h *Home) containerd(part []byte) {
	_, rest := cut(part, ':')
	prefix, id := cut(rest, ':')
	if string(prefix) == "cri-containerd" && isID(id) {
		h.Runtime, h.Container = Containerd, id
	}
}

// cut gives what is before the first sep, and what is behind it.
func cut(b []byte, sep byte) (before, behind []byte) {
	for i, c := range b {
		if c == sep {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// trim takes prefix and suffix off, if something is left between them.
func trim(b []byte, prefix, suffix string) ([]byte, bool) {
	if len(b) <= len(prefix)+len(suffix) || string(b[:len(prefix)]) != prefix || string(b[len(b)-len(suffix):]) != suffix {
		return nil, false
	}
	return b[len(prefix) : len(b)-len(suffix)], true
}

// isID tells whether b is the id of a container: 64 hexadecimal digits.
func isID(b []byte) bool {
	if len(b) != 64 {
		return false
	}
	for _, c := range b {
		if !isHex(c) {
			return false
		}
	}
	return true
}

// isUID tells whether b is the uid of a pod: 36 characters of a UUID, or the 32
// digits that a static pod has.
func isUID(b []byte) bool {
	if len(b) != 36 && len(b) != 32 {
		return false
	}
	for _, c := range b {
		if !isHex(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

// String says where a process belongs, for a line of text; "" when the path
// tells nothing. It allocates.
func (h *Home) String() string {
	text := ""
	add := func(what string, name []byte) {
		if len(name) == 0 {
			return
		}
		if text != "" {
			text += ", "
		}
		text += what + Quote(name)
	}
	if h.Runtime != None {
		add(h.Runtime.String()+" container ", h.Container)
	}
	pod := append([]byte(nil), h.Pod...)
	for i := range pod {
		if pod[i] == '_' {
			pod[i] = '-'
		}
	}
	add("pod ", pod)
	if h.Runtime == None {
		add("unit ", h.Unit)
	}
	if h.HasUser {
		add("user ", strconv.AppendUint(nil, uint64(h.User), 10))
	}
	return text
}
