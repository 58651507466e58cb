package main

import (
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
)

// waitForBoot returns when a client says that the machine is up, at once where
// nobody waits for it. The service manager is told that the daemon is ready, for
// what it starts may be that client, and that it lives.
func (p *publisher) waitForBoot(stopped <-chan struct{}, feedEvery time.Duration) {
	if p.sockets.booted == nil {
		return
	}
	if p.sockets.android == nil {
		p.say.Print("nobody can say that the machine is up: it is watched from now on")
		return
	}
	p.say.Print("waiting for a client to say that the machine is up (LMK_START_MONITORING or LMK_BOOT_COMPLETED)")
	_, _ = sdnotify.SdNotify(false, sdnotify.SdNotifyReady+"\nSTATUS=Waiting for the end of the boot")
	var feed <-chan time.Time
	if feedEvery > 0 {
		t := time.NewTicker(feedEvery)
		defer t.Stop()
		feed = t.C
	}
	for {
		select {
		case <-p.sockets.booted:
			return
		case <-stopped:
			return
		case <-feed:
			_, _ = sdnotify.SdNotify(false, sdnotify.SdNotifyWatchdog)
		}
	}
}
