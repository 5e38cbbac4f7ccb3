#!/usr/bin/env bash
# The local cluster on the kernel's datapath, with manifests/default as it is:
# make kernel-demo runs this in a virtual machine. Then ovn-node is rolled while
# pods talk.
#
#   demo.sh NODES
set -euo pipefail
cd "$(dirname "$0")/../.."

export HOME=/root L2SM_LAB_PATIENCE=20 L2SM_OVERLAY=manifests/default
name=kernel

# containerd's overlays want an upper folder that is on none.
labs=$HOME/.cache/l2sm/labs
mkdir -p "$labs"
mount -t tmpfs -o size=6g,mode=755 labs "$labs"
ulimit -n 1048576

e2e/steps.sh demo $name "$1"

kubectl() { bin/lab --name $name kubectl "$@"; }
echo "== kubectl rollout restart ds/ovn-node, while ping talks to pong"
address() { kubectl exec pong -- ip -o "-$1" addr show dev net1 scope global | awk '{sub("/.*", "", $4); print $4; exit}'; }
for family in 4 6; do
  kubectl exec ping -- timeout -s INT 600 ping -n -q -i 0.05 "$(address $family)" > "/tmp/ping$family" &
done
kubectl -n l2sm-system rollout restart ds/ovn-node
kubectl -n l2sm-system rollout status ds/ovn-node --timeout=600s
kubectl exec ping -- pkill -INT ping
wait
for family in 4 6; do
  echo "IPv$family: $(grep transmitted "/tmp/ping$family"), one every 50 ms"
done
