#!/bin/sh
# Finishes the tree $1: no first boot, peers off, the job on. $2 is the kernel's
# modules directory, $3 where these files are.
set -eu
root=$1 modules=$2 files=$3

echo vm >"$root/etc/hostname"
# A machine without an id would take every package's preset at its first boot,
# and switch the peers on.
echo 5af4e0c2b1d94a6c8f0d3b7e92a1c4d6 >"$root/etc/machine-id"
echo '/dev/root / auto defaults 0 0' >"$root/etc/fstab"
# The journal belongs on the disk: in /run it would take memory.
mkdir -p "$root/var/log/journal"

mkdir -p "$root/lib/modules"
cp -a "$modules" "$root/lib/modules/"
chroot "$root" depmod "$(basename "$modules")"

cp "$files/vm-job.service" "$files/vm.target" "$root/etc/systemd/system/"
for peer in earlyoom.service oomd.service systemd-oomd.service systemd-oomd.socket nohang.service nohang-desktop.service; do
	chroot "$root" systemctl --quiet disable "$peer" 2>/dev/null || true
done
for idle in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer man-db.timer \
	serial-getty@ttyS0.service getty@tty1.service; do
	chroot "$root" systemctl --quiet mask "$idle" 2>/dev/null || true
done
chroot "$root" systemctl --quiet enable vm-job.service
chroot "$root" systemctl --quiet set-default vm.target
