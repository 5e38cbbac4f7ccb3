#!/bin/bash
# ovnkube.sh node | manager: OVN-Kubernetes' own program, for a node and its
# zone, or for what is done once in a cluster. The flags are those of its
# documentation for one zone a node (interconnect), and the smallest set of
# features that has layer-2 secondary networks.
set -euo pipefail

account=/var/run/secrets/kubernetes.io/serviceaccount
flags=(
  --k8s-apiserver=https://10.250.0.1:6443 "--k8s-cacert=$account/ca.crt" "--k8s-token-file=$account/token"
  --cluster-subnets=10.128.0.0/16/24 --k8s-service-cidrs=10.96.0.0/16
  --enable-interconnect --enable-multi-network --gateway-mode=local --loglevel=4
)

case $1 in
manager)
  exec ovnkube --init-cluster-manager "$NODE_NAME" "${flags[@]}"
  ;;
node)
  zone() { ovn-sbctl --timeout=5 --db=unix:/run/ovn/ovnsb_db.sock get SB_Global . options:name 2>/dev/null; }
  until [ "$(zone)" = "$NODE_NAME" ]; do sleep 0.2; done
  until ovs-ofctl --timeout=5 show br-ex >/dev/null 2>&1; do sleep 0.2; done
  tunnels=$(ip -oneline -4 address show dev br-tun | awk '{sub("/.*", "", $4); print $4; exit}')
  mkdir -p /run/ovn-kubernetes/cni
  exec ovnkube --init-ovnkube-controller "$NODE_NAME" --init-node "$NODE_NAME" --zone "$NODE_NAME" "${flags[@]}" \
    --encap-ip="$tunnels" --gateway-interface=br-ex --allow-no-uplink --nodeport --inactivity-probe=100000 \
    --cnilogfile= --pidfile=/run/ovn-kubernetes/ovnkube.pid
  ;;
*) echo "usage: $0 node | manager" >&2 && exit 2 ;;
esac
