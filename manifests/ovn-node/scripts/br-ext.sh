#!/bin/bash
# Puts a NIC that tunnels leave by under a bridge and moves its addresses and
# routes there: the userspace datapath finds the way to a tunnel's far end only
# over a bridge that holds the local address.
#
#   br-ext.sh NIC BRIDGE
#
# BRIDGE: br-ext, of the tunnels between nodes, or br-wan, of those to other clusters.
#
# It may run any number of times. After a reboot the NIC has what the node's
# configuration gives it; until the next one, a record says what was moved.
set -euo pipefail

nic=$1
bridge=$2
record=/run/openvswitch/$bridge.ip # gone with a reboot, as all of /run
table=l2sm
[ "$bridge" = br-ext ] || table=l2sm-${bridge#br-}

# configuration DEVICE: what its addresses and routes are, as input of ip -batch
# that gives the same to the bridge. Without routes that come with an address or
# from a router.
configuration() {
  ip -oneline address show dev "$1" scope global |
    awk -v bridge="$bridge" '{print "address replace", $4, "dev", bridge}'
  { ip -4 route show dev "$1"; ip -6 route show dev "$1" | sed 's,^default,::/0,'; } |
    awk -v bridge="$bridge" '!/ proto (kernel|ra) / {
      gsub(/ (linkdown|pref [a-z]+)/, ""); print "route replace", $0, "dev", bridge}'
}

mac=$(cat "/sys/class/net/$nic/address")
mtu=$(cat "/sys/class/net/$nic/mtu")

# A MAC of its own making would change with every restart, and leave the other
# nodes with a stale neighbour.
[ -d "/sys/class/net/$bridge" ] || ip tuntap add dev "$bridge" mode tap
ip link set dev "$bridge" address "$mac" mtu "$mtu" up
ovs-vsctl --retry --timeout=30 --no-wait \
  -- --may-exist add-br "$bridge" \
  -- set bridge "$bridge" datapath_type=netdev fail_mode=standalone other-config:hwaddr="\"$mac\"" \
  -- set interface "$bridge" mtu_request="$mtu" \
  -- --may-exist add-port "$bridge" "$nic"

# Open vSwitch copies whole frames between the two: none without a checksum,
# none longer than the MTU.
ethtool -K "$nic" tx off gro off >/dev/null
ethtool -K "$bridge" tx off >/dev/null

# The kernel still sees what the NIC receives, and would answer a second time.
# What it answers is only needless, so a kernel that can't filter there will do.
nft -f - <<RULES || echo "node $NODE_NAME: go on without a filter on $nic" >&2
table netdev $table
delete table netdev $table
table netdev $table {
  chain tunnels {
    type filter hook ingress device "$nic" priority -300; policy drop;
  }
}
RULES

moved=$(configuration "$nic")
[[ $moved == address* ]] || moved=$(cat "$record" 2>/dev/null || configuration "$bridge")
if [[ $moved != address* ]]; then
  echo "node $NODE_NAME: interface $nic, which a setting names for tunnels, has no address" >&2
  exit 1
fi
echo "$moved" >"$record"
ip -batch "$record"
ip address flush dev "$nic" scope global
