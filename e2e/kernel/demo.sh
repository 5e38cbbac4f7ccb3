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
address() { kubectl exec pong -- ip -o "-$1" addr show dev net1 scope global | awk '{sub("/.*", "", $4); print $4; exit}'; }
declare -A pong=([4]="$(address 4)" [6]="$(address 6)")

# roll: pings while ovn-node is replaced on one node after another.
roll() {
  for family in 4 6; do
    kubectl exec ping -- timeout -s INT 600 ping -n -q -i 0.05 "${pong[$family]}" >"/tmp/ping$family" &
  done
  kubectl -n l2sm-system rollout restart ds/ovn-node
  kubectl -n l2sm-system rollout status ds/ovn-node --timeout=600s
  kubectl exec ping -- pkill -INT ping
  wait
  kubectl -n l2sm-system logs --selector app.kubernetes.io/name=ovn-node --container ovs-vswitchd --tail=-1 |
    grep -E "flows (are back|that were saved)" || echo "no flows were given back"
  for family in 4 6; do
    echo "IPv$family: $(grep transmitted "/tmp/ping$family"), one every 50 ms"
  done
}

# keep_neighbours: what the pod behind net1 knows of its neighbours does not age.
keep_neighbours() {
  ip link show net1 >/dev/null 2>&1 || return 0
  while read -r address _ mac _; do
    ip neigh replace "$address" lladdr "$mac" dev net1 nud permanent
  done < <(ip neigh show dev net1 | grep lladdr)
  ip neigh show dev net1
}

echo "== kubectl rollout restart ds/ovn-node, while ping talks to pong"
roll
# On this processor a pod is away for longer than Linux waits for a neighbour.
echo "== the same with neighbours that do not age"
for pid in $(pgrep -x pause); do
  nsenter --target "$pid" --net bash -c "$(declare -f keep_neighbours); keep_neighbours"
done
roll
