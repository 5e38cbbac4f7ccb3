#!/bin/bash
# Brings up a kind cluster with Multus and l2sm, and pings across its nodes. What is
# there already stays, so one that failed halfway is continued.
set -euo pipefail
cd "$(dirname "$0")/.."

cluster=l2sm

kubectl() { command kubectl --context "kind-$cluster" "$@"; }
say() { printf '\n== %s\n' "$*"; }

kind/check-host.sh

say "build the images, as everywhere: by the Makefile's flags, without Docker"
make build
bin/lab images controller agent ovn toolbox

if kind get clusters 2> /dev/null | grep -qx "$cluster"; then
  say "go on with the cluster $cluster, which is there already"
  kind export kubeconfig --name "$cluster" || { echo "kind/up.sh: $cluster was never whole: make kind-down, and again" >&2; exit 1; }
else
  say "create the cluster"
  kind create cluster --name "$cluster" --config kind/cluster.yaml
fi

say "load the images"
for image in controller agent ovn toolbox; do
  kind load image-archive "bin/images/$image.tar" --name "$cluster"
done

say "install Multus"
kubectl apply -k kind/multus
kubectl --namespace kube-system rollout status daemonset/kube-multus-ds --timeout=5m

say "install l2sm"
kubectl apply -k kind
for workload in deployment/ovn-central daemonset/ovn-node deployment/l2sm-controller daemonset/l2sm-agent; do
  kubectl --namespace l2sm-system rollout status "$workload" --timeout=5m
done

say "ping across nodes"
kubectl apply -f examples/ping-pong/network.yaml -f examples/ping-pong/pods.yaml
kubectl wait --for=condition=Ready --timeout=2m pod/ping pod/pong
kubectl exec ping -- ping -c 3 10.101.2.10
kubectl exec ping -- ping -c 3 fd10:101::10

say "the cluster stays: kubectl --context kind-$cluster get l2net,l2att; examples/ping-pong/README.md has more"
