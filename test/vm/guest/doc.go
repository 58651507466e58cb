// Package guest is what a test that runs in a guest needs: hogs to start,
// figures to take (pressure, available memory, OOM kills, a process's resident
// set and context switches), cgroups to put processes into, and a place for
// files that go back to the host. It reads /proc and cgroupfs the simple way,
// so that it shares no code, and no mistake, with what it tests.
package guest
