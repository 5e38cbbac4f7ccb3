#!/usr/bin/env bash
# Builds the tests that need a kernel with openvswitch and geneve, and runs them
# in a virtual machine that has one; the API server, OVN's central programs and
# l2sm-controller run outside. `make build` comes first.
#
#   test.sh [vm|integration|edges|chain|jumbo]... [-- TEST FLAGS]    all without arguments
#   test.sh edges -- -test.run TestDataPlane    all of what edges do to frames: minutes
set -euo pipefail
cd "$(dirname "$0")/../.."

parts=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  parts+=("$1")
  shift
done
[ $# -eq 0 ] || shift
[ ${#parts[@]} -gt 0 ] || parts=(vm integration edges chain jumbo)

guest() { bin/kernel-vm run --stack --timeout 12m "$@"; }

# build PACKAGE TAG PATH
build() { go test -c -tags "$2" -o "bin/kernel/$1.test" "$3"; }

mkdir -p bin/kernel
for part in "${parts[@]}"; do
  case $part in
  vm) go test -count=1 -tags kernel ./e2e/kernel/vm ;;
  integration)
    # These tests do the controller's part themselves.
    for package in link ovs topology wireguard agent; do build $package integration ./internal/$package; done
    build node integration,kernel ./manifests/ovn-node
    guest -- e2e/kernel/guest.sh integration "$@"
    ;;
  edges)
    # The product's Open vSwitch, since edges' flows need more than this machine's.
    bin/lab images --out bin/ovn-for-zones ovn
    build edges integration,kernel ./internal/edge/sidestest
    guest --env L2SM_TEST_OVN_IMAGE="$PWD/bin/ovn-for-zones/ovn.tar" -- e2e/kernel/guest.sh edges -test.run TestEncryptedByTheKernel "$@"
    ;;
  chain)
    build chain kernel ./e2e/kernel
    guest --controller -- e2e/kernel/guest.sh chain "$@"
    ;;
  jumbo)
    # The same nodes on another underlay: tunnels over IPv6, jumbo frames.
    export UNDERLAY_FAMILY=IPv6 UNDERLAY_MTU=9000 # the controller's as well
    build chain kernel ./e2e/kernel
    guest --controller --env UNDERLAY_FAMILY=IPv6 --env UNDERLAY_MTU=9000 -- \
      e2e/kernel/guest.sh chain -test.run 'TestChain/(Datapath|Ping|FullMTU|TCP)$' "$@"
    unset UNDERLAY_FAMILY UNDERLAY_MTU
    ;;
  *)
    echo "usage: $0 [vm|integration|edges|chain|jumbo]... [-- TEST FLAGS]" >&2
    exit 2
    ;;
  esac
done
