#!/usr/bin/env bash
# Runs in the virtual machine: see test.sh. Every part runs, also after one that
# failed.
set -uo pipefail
cd "$(dirname "$0")/../.."

export L2SM_TEST_DATAPATH=system L2SM_TEST_PATIENCE=8 L2SM_TEST_PROGRAMS=$PWD/bin

parts=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  parts+=("$1")
  shift
done
[ $# -eq 0 ] || shift
[ ${#parts[@]} -gt 0 ] || parts=(link ovs agent chain)

# Tests of internal/agent have a network namespace without links, and so reach
# the API server by a socket.
L2SM_TEST_API=$(mktemp -d /tmp/api.XXXXXX)
export L2SM_TEST_API
cp "$KUBECONFIG" "$L2SM_TEST_API/kubeconfig"
server=$(sed -n 's,^ *server: https://,,p' "$KUBECONFIG")
socat "UNIX-LISTEN:$L2SM_TEST_API/api.sock,fork" "TCP:$server" &

failed=()
for part in "${parts[@]}"; do
  echo "== $part, on kernel $(uname -r), $(cut -d. -f1 /proc/uptime) s after the start"
  folder=internal/$part
  [ "$part" != chain ] || folder=e2e/kernel
  (cd "$folder" && "$OLDPWD/bin/kernel/$part.test" -test.timeout 8m "$@") || failed+=("$part")
done
echo "== done $(cut -d. -f1 /proc/uptime) s after the start"
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
