#!/usr/bin/env bash
# Every scenario and every kernel promise in virtual machines, two at a
# time, and one more that only rests.
# Fails when anything fails, and when a guest did not run.
set -euo pipefail
cd "$(dirname "$0")/.."
vm=$PWD/bin/vm
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# guest NAME TAGS RUN PACKAGES -- OPTIONS: runs tests in a guest, and shows what
# they said when they fail.
guest() {
  local name=$1 tags=$2 run=$3 packages=$4 began=$SECONDS
  shift 5
  # A package each: every guest starts with all of its memory.
  local try ok
  for try in 1 2 3; do
    # shellcheck disable=SC2086
    go test -count=1 -p 1 -timeout 60m -tags "$tags" -run "$run" -v -exec "$vm $*" $packages >"$logs/$name" 2>&1 && ok=yes && break
    ok=no
    # QEMU's emulation makes a guest's kernel panic now and then, with and
    # without lmkd. Only that is tried again, and said.
    grep -q "^vm: .*the guest's kernel panicked" "$logs/$name" || break
    echo "$name: the guest's kernel panicked (try $try)"
  done
  if [ $ok = yes ] && grep -q '^--- PASS' "$logs/$name"; then
    grep -E '^(ok|--- )|_test.go:[0-9]+: .*(stall|at rest|idle:|ratio)' "$logs/$name" | sed "s/^/$name: /"
    echo "$name: passed in $((SECONDS - began)) s"
  else
    cat "$logs/$name"
    echo "$name: FAILED after $((SECONDS - began)) s"
    return 1
  fi
}

scenario() {
  local name=$1 run=$2
  shift 2
  guest "$name" vm "$run" ./test/scenario -- -build ./cmd/lmkd -oom allow -wall 900s "$@"
}

unit() {
  guest "$1" vm,full "$2" ./test/scenario -- -full -kernel "$3" -install "$PWD/bin/lmkd:/usr/bin/lmkd" \
    -install "$PWD/deploy/systemd/lmkd.service:/usr/lib/systemd/system/lmkd.service" -oom allow -wall 900s
}

# besides NAME OPTIONS: lmkd beside a peer, hog by hog in one guest. Other guests
# take the processors from the one and not the other: what fails is compared once
# more, and said.
besides() {
  compared "$@" && return
  echo "$1: compared once more"
  compared "$@"
}

compared() {
  local name=$1
  shift
  guest "$name" vm,full '^TestBesidePeers$/^(leak|bomb)$/^(earlyoom|lmkd)$' ./test/scenario -- \
    -full -kernel 6.12 -build ./cmd/lmkd -oom allow -wall 900s "$@"
}

# rest is what only rests, beside everything else.
rest() {
  local bad=0
  scenario rest '^TestIdle$' -kernel 6.12 || bad=1
  scenario rest-domains '^TestManyCgroupsAtRest$' -kernel 6.12 || bad=1
  unit unit-at-rest '^TestUnitAtRest$' 6.12 || bad=1
  return $bad
}
rest &
resting=$!

# lane COMMAND...: runs it beside another, two at a time: what is asserted is order
# and outcome, and a guest waits more than it computes. The longest come first.
lanes=()
lane() {
  while [ "$(jobs -rp | grep -vcx "$resting")" -ge 2 ]; do
    wait -n || true # its status is asked for at the end
  done
  "$@" &
  lanes+=($!)
}

for kernel in 6.12 6.1; do
  lane scenario "hogs-$kernel" '^TestHogs$' -kernel $kernel -bulk 700 -disk-rate 10
  lane scenario "hogs-zram-$kernel" '^TestHogs$' -kernel $kernel -bulk 700 -disk-rate 10 -zram 230
  lane scenario "domains-$kernel" '^(TestBoxWithoutADomain|TestBoxedHog|TestHealthyBoxes|TestBoxesComeAndGo)$' -kernel $kernel -bulk 700 -disk-rate 20
done
lane scenario judge "^(TestLetBe|TestBombBesideStream|TestResidentHog)$" -kernel 6.12 -bulk 700 -disk-rate 20
lane besides besides-peers
lane besides besides-peers-zram -zram 230
lane scenario victims "^(TestTheSessionLives|TestOrphanBombsDieAsAWhole|TestLeakBesideADatabase|TestOOMGroupDiesAsAWhole|TestCgroupDiesAsAWhole)$" -kernel 6.12
lane scenario registered '^TestRegisteredDieInTheirOrder$' -kernel 6.12
lane scenario kills '^(TestSecondHogWaitsForTheFirst|TestRestartInTheMiddle|TestSigtermFirst|TestSomebodyElsesKill|TestLacking)$' -kernel 6.12
lane scenario relief '^(TestReclaimSparesAKill|TestFreezeEnds|TestFreezeWithinADomain|TestNothingSofterByDefault)$' -kernel 6.12 -bulk 700 -disk-rate 20 -zram 230
lane scenario no-psi '^TestLacking$' -kernel 6.1 -psi off
lane unit unit '^(TestUnit|TestUnitOfABox)$' 6.12
for kernel in 5.10 6.12; do
  lane guest "daemon-$kernel" vm '^(TestCgroupDiesAsAWhole|TestProtectedMemberOfACgroupLives|TestTwin|TestTraced|TestWatchdog)' ./internal/daemon -- \
    -kernel $kernel -oom allow -wall 600s
done
lane guest packages-5.10 vm . './pkg/psi ./pkg/exitwait ./pkg/kill' -- -kernel 5.10 -oom allow -wall 600s
lane guest packages-6.12 vm . './pkg/exitwait ./pkg/kill ./pkg/taskwatch ./internal/memevent ./internal/memory ./internal/cgroups' -- \
  -kernel 6.12 -zram 100 -oom allow -wall 600s
for kernel in 5.10 6.1 6.12; do
  lane guest "tasks-$kernel" vm 'Pass|Walk' './internal/taskiter ./internal/process' -- -kernel $kernel -oom allow -wall 600s
done

failed=0
for pid in "$resting" "${lanes[@]}"; do
  wait "$pid" || failed=1
done
exit $failed
