#!/bin/bash
# Puts the tunnels' NIC under the bridge br-ext and moves its addresses and
# routes there: the userspace datapath finds the way to a tunnel's far end only
# over a bridge that holds the local address.
#
# The kernel holds all the state, so this can run any number of times: after a
# restart the addresses are on br-ext, a persistent tap device that outlives
# ovs-vswitchd; after a reboot they are on the NIC again.
set -euo pipefail

nic=$TUNNEL_INTERFACE
bridge=br-ext

die() {
  echo "node $NODE_NAME: $*" >&2
  exit 1
}

# addresses DEVICE: one ADDRESS/PREFIX a line.
addresses() {
  ip -oneline address show dev "$1" scope global | awk '{print $4}'
}

# routes DEVICE: one route a line, without those that come with an address or
# from a router's advertisements.
routes() {
  { ip -4 route show dev "$1"; ip -6 route show dev "$1"; } |
    awk '!/ proto (kernel|ra) / {gsub(/ (linkdown|pref [a-z]+)/, ""); print}'
}

[ -n "$nic" ] || die "DATAPATH=netdev needs TUNNEL_INTERFACE, an interface for tunnels alone"
[ -d "/sys/class/net/$nic" ] || die "no interface $nic, which TUNNEL_INTERFACE names"
if addresses "$nic" | grep -qF "$NODE_IP/"; then
  die "interface $nic holds the node's InternalIP $NODE_IP, and to move it would cut the node off." \
    "TUNNEL_INTERFACE must name another"
fi

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
table netdev l2sm
delete table netdev l2sm
table netdev l2sm {
  chain tunnels {
    type filter hook ingress device "$nic" priority -300; policy drop;
  }
}
RULES

moved_routes=$(routes "$nic")
for address in $(addresses "$nic"); do
  ip address replace "$address" dev "$bridge"
  ip address delete "$address" dev "$nic"
done
while read -r route; do
  # shellcheck disable=SC2086 # a route is many words
  [ -z "$route" ] || ip route replace $route dev "$bridge"
done <<<"$moved_routes"

[ -n "$(addresses "$bridge")" ] || die "interface $nic has no address to put on $bridge"
