#!/bin/bash
# Refuses a node on which the other containers would do harm or could do
# nothing, before any of them has touched it. l2sm-agent shows the refusal as a
# condition of the node's L2Node.
set -euo pipefail
# shellcheck source=underlay.sh source-path=SCRIPTDIR
. "$(dirname "$0")/underlay.sh"

refusal=/run/openvswitch/refusal

# refuse REASON MESSAGE...
refuse() {
  local reason=$1
  shift
  echo "$reason $*" >"$refusal"
  echo "node $NODE_NAME: $*" >&2
  exit 1
}

# Two Open vSwitches would both change the node's datapath. To use the node's own
# would mean to share its system-id and ovn-remote with whatever installed it.
# The kernel lists the sockets of this network namespace, whichever folders those
# who bound them see (unix(7)).
check_switches() {
  local other
  if ovsdb-client --timeout=2 list-dbs unix:/run/openvswitch/db.sock >/dev/null 2>&1; then
    other=/run/openvswitch/db.sock
  else
    other=$(awk '/\/ovs-vswitchd\.[0-9]+\.ctl$/ {print $NF; exit}' /proc/net/unix)
  fi
  [ -z "$other" ] || refuse OtherOpenVSwitch "another Open vSwitch runs here: it listens on $other." \
    "Stop it (systemctl disable --now openvswitch-switch, or remove the network plugin that brought it), or keep l2sm off this node"
}

check_underlay() {
  family >/dev/null || refuse BadSetting "UNDERLAY_FAMILY is \"$UNDERLAY_FAMILY\": want IPv4 or IPv6"
  if [ -n "$TUNNEL_INTERFACE" ] && [ ! -d "/sys/class/net/$TUNNEL_INTERFACE" ]; then
    refuse NoTunnelInterface "no interface $TUNNEL_INTERFACE, which TUNNEL_INTERFACE names"
  fi
  local ip
  ip=$(tunnel_ip)
  if [ -z "$ip" ] && [ -n "$TUNNEL_INTERFACE" ]; then
    refuse NoTunnelAddress "interface $TUNNEL_INTERFACE, which TUNNEL_INTERFACE names, has no $UNDERLAY_FAMILY address"
  fi
  [ -n "$ip" ] || refuse NoTunnelAddress "the node has no $UNDERLAY_FAMILY InternalIP, only $NODE_IPS." \
    "Set UNDERLAY_FAMILY to the family that all nodes have, or TUNNEL_INTERFACE"
  [ -n "$(ip -oneline address show to "$ip")" ] || refuse NoTunnelAddress "no interface holds $ip, the node's InternalIP." \
    "Name the interface that tunnels shall leave by in TUNNEL_INTERFACE"
}

check_system() {
  # shellcheck source=kernel.sh source-path=SCRIPTDIR
  . "$(dirname "$0")/kernel.sh"
  check_datapaths
  check_geneve
}

check_netdev() {
  [ -c /dev/net/tun ] || refuse NoTUN "DATAPATH=netdev needs /dev/net/tun." \
    "Apply manifests/ovn-node/netdev, which mounts it, and see that the kernel has it (modprobe tun)"
  [ -n "$TUNNEL_INTERFACE" ] || refuse NoTunnelInterface "DATAPATH=netdev needs TUNNEL_INTERFACE, an interface for tunnels alone"
  spare TUNNEL_INTERFACE "$TUNNEL_INTERFACE"
  [ -n "${EDGE_INTERFACE:-}" ] || return 0
  [ "$EDGE_INTERFACE" != "$TUNNEL_INTERFACE" ] || refuse BadSetting "EDGE_INTERFACE and TUNNEL_INTERFACE are both $EDGE_INTERFACE:" \
    "leave EDGE_INTERFACE empty where edges reach peers by the tunnels' interface"
  [ ! -d "/sys/class/net/$EDGE_INTERFACE" ] || spare EDGE_INTERFACE "$EDGE_INTERFACE"
}

# spare SETTING INTERFACE: refuses an interface that the node itself is reached by.
spare() {
  local ip
  for ip in ${NODE_IPS//,/ }; do
    [ -n "$(ip -oneline address show dev "$2" to "$ip")" ] || continue
    refuse NoTunnelInterface "interface $2 holds the node's InternalIP $ip, and the node would be cut off." \
      "$1 must name another"
  done
}

check_switches
check_underlay
case $DATAPATH in
system) check_system ;;
netdev) check_netdev ;;
*) refuse BadSetting "DATAPATH is \"$DATAPATH\": want system or netdev" ;;
esac
rm -f "$refusal"
