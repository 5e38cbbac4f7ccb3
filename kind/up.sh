#!/bin/bash
# Brings up a kind cluster with Multus and l2sm, and pings across its nodes.
set -euo pipefail
cd "$(dirname "$0")/.."

cluster=l2sm
tunnels=l2sm-tunnels # Docker network

kubectl() { command kubectl --context "kind-$cluster" "$@"; }
say() { printf '\n== %s\n' "$*"; }

for program in docker kind kubectl go; do
  command -v "$program" >/dev/null || { echo "kind/up.sh needs $program" >&2; exit 1; }
done
if kind get clusters 2>/dev/null | grep -qx "$cluster"; then
  echo "kind cluster $cluster is there already; make kind-down removes it" >&2
  exit 1
fi

say "build the images"
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
for program in controller:l2sm-controller agent:l2sm-agent cni:l2sm; do
  CGO_ENABLED=0 GOOS=linux GOARCH=$(docker version --format '{{.Server.Arch}}') \
    go build -trimpath -o "$build/${program#*:}" "./cmd/${program%:*}"
done
docker build --file manifests/images/l2sm/Containerfile --tag localhost/l2sm:dev "$build"
for image in ovn toolbox; do
  docker build --file "manifests/images/$image/Containerfile" --tag "localhost/l2sm-$image:dev" "manifests/images/$image"
done

say "create the cluster; every node gets eth1, for tunnels"
kind create cluster --name "$cluster" --config kind/cluster.yaml
docker network inspect "$tunnels" >/dev/null 2>&1 || docker network create --internal "$tunnels"
for node in $(kind get nodes --name "$cluster"); do
  docker network connect "$tunnels" "$node"
done

say "load the images"
for image in l2sm l2sm-ovn l2sm-toolbox; do
  docker save --output "$build/$image.tar" "localhost/$image:dev"
  kind load image-archive "$build/$image.tar" --name "$cluster"
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
