// Command init is the guest's side of the VM runner, one static program with
// two lives. As pid 1 of an initramfs it mounts what a program expects, loads
// the modules it was given, and either runs the job itself (the small guest)
// or hands the machine over to systemd (the full guest). Started by systemd,
// as the agent, it runs the job there. In both it answers in frames over the
// second serial line, and turns the machine off at the end. It is never run on
// a real machine: as pid 1 it powers off, and as anything else it asks for the
// payload disk first.
package main
