#!/usr/bin/env bash
# What test.sh runs in the virtual machine. Every part runs, also after one that
# failed.
#
#   guest.sh integration|edges|chain [TEST FLAGS]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

export L2SM_TEST_DATAPATH=system L2SM_TEST_PATIENCE=8 L2SM_TEST_PROGRAMS=$PWD/bin

failed=()

# tests NAME FOLDER [TEST FLAGS]
tests() {
  local name=$1 folder=$2
  shift 2
  echo "== $name, on kernel $(uname -r), $(cut -d. -f1 /proc/uptime) s after its start"
  (cd "$folder" && "$OLDPWD/bin/kernel/$name.test" -test.timeout 10m "$@") || failed+=("$name")
}

# open_api: tests of internal/agent have a network namespace without links, and
# so reach the API server by a socket.
open_api() {
  L2SM_TEST_API=$(mktemp -d /tmp/api.XXXXXX)
  export L2SM_TEST_API
  cp "$KUBECONFIG" "$L2SM_TEST_API/kubeconfig"
  socat "UNIX-LISTEN:$L2SM_TEST_API/api.sock,fork" "TCP:$(sed -n 's,^ *server: https://,,p' "$KUBECONFIG")" 2>/dev/null &
}

# Those of internal/agent that plug, unplug and move, and carry traffic. The
# other ones stop and start agents at every step, which the datapath knows nothing
# of, and take a quarter of an hour here.
plugging='^(TestAddAndDel|TestAddOfOneNetwork|TestAddOfANewSandbox|TestConfDBLost|TestHotPlug|TestMove|TestMTUChanges|TestTwoInterfacesInOneSubnet)$'

# Those of internal/wireguard that depend on whose device it is.
encrypting='^(TestTraffic|TestNothingIsInterrupted|TestKeyChange|TestRestart|TestNothingIsLeft|TestChanges|TestALinkInTheWayIsReplaced|TestPortIsOpenedOnceItIsFree|TestPeersGetToEdgesAlone)$'

part=$1
shift
case $part in
integration)
  open_api
  tests link internal/link "$@"
  # Open vSwitch 3.1, this machine's, hears of no packet if it starts in a kernel's first 10 s.
  until [ "$(cut -d. -f1 /proc/uptime)" -ge 11 ]; do sleep 0.5; done
  tests ovs internal/ovs "$@"
  tests topology internal/topology "$@"
  # The device behind TAP is tried here as well, against the kernel's.
  modprobe -a wireguard tun bridge
  tests wireguard internal/wireguard -test.run "$encrypting" "$@"
  tests node manifests/ovn-node "$@"
  tests agent internal/agent -test.run "$plugging" "$@"
  ;;
edges)
  modprobe -a vxlan geneve openvswitch wireguard
  tests edges internal/edge/sidestest -test.v "$@"
  ;;
chain) tests chain e2e/kernel -test.v "$@" ;;
esac
echo "== done $(cut -d. -f1 /proc/uptime) s after the start"
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
