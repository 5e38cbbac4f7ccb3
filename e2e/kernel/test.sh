#!/usr/bin/env bash
# Builds the tests that need a kernel with openvswitch and geneve, and runs them
# in a virtual machine that has one; the API server, OVN's central programs and
# l2sm-controller run outside. `make build` comes first.
#
#   test.sh [link|ovs|agent|chain]... [-- TEST FLAGS]    all without arguments
set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p bin/kernel
for package in link ovs agent; do
  go test -c -tags integration -o bin/kernel/$package.test ./internal/$package
done
go test -c -tags kernel -o bin/kernel/chain.test ./e2e/kernel
exec bin/kernel-vm run --stack --timeout 10m -- e2e/kernel/guest.sh "$@"
