#!/bin/bash
# Refuses a node on which the other containers would do harm or could do
# nothing, before any of them has touched it.
set -euo pipefail

die() {
  echo "node $NODE_NAME: $*" >&2
  exit 1
}

# Two Open vSwitches would both change the node's datapath and claim this socket.
# To use the node's own would mean to share its system-id and ovn-remote with
# whatever installed it.
if ovsdb-client --timeout=2 list-dbs unix:/run/openvswitch/db.sock >/dev/null 2>&1; then
  die "another Open vSwitch answers on /run/openvswitch/db.sock." \
    "Stop it (systemctl disable --now openvswitch-switch), or keep l2sm off this node"
fi

if [ -n "$TUNNEL_INTERFACE" ] && [ ! -d "/sys/class/net/$TUNNEL_INTERFACE" ]; then
  die "no interface $TUNNEL_INTERFACE, which TUNNEL_INTERFACE names"
fi

case $DATAPATH in
system)
  # Asking for the datapath also makes the kernel load its module, which a
  # container may not do by itself.
  ovs-dpctl dump-dps ||
    die "the kernel has no module openvswitch. Install it (modprobe openvswitch must succeed), or set DATAPATH=netdev"
  ;;
netdev)
  [ -n "$TUNNEL_INTERFACE" ] || die "DATAPATH=netdev needs TUNNEL_INTERFACE, an interface for tunnels alone"
  if ip -oneline address show dev "$TUNNEL_INTERFACE" | grep -qF " $NODE_IP/"; then
    die "interface $TUNNEL_INTERFACE holds the node's InternalIP $NODE_IP, and the node would be cut off." \
      "TUNNEL_INTERFACE must name another"
  fi
  ;;
*)
  die "DATAPATH is \"$DATAPATH\": want system or netdev"
  ;;
esac
