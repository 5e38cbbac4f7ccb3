#!/bin/bash
# The bridges that Open vSwitch's datapath in user space needs on a node of the
# local cluster. They are made once; after a restart they are as they were.
#
# br-tun: the tunnels' NIC under a bridge that holds its address. The datapath
# finds the way to a tunnel's far end only so. Its name is not br-ext, which
# ovnkube deletes.
# br-ex: ovnkube's gateway, here without a NIC of its own.
set -euo pipefail

vsctl() { ovs-vsctl --retry --timeout=30 --no-wait "$@"; }

# bridge NAME MAC [PORT]: the bridge's own port is there before Open vSwitch
# starts, so that its address is.
bridge() {
  [ -d "/sys/class/net/$1" ] || ip tuntap add dev "$1" mode tap
  ip link set dev "$1" address "$2" up
  vsctl --may-exist add-br "$1" \
    -- set bridge "$1" datapath_type=netdev fail_mode=standalone other-config:hwaddr="\"$2\""
  [ -z "${3:-}" ] || vsctl --may-exist add-port "$1" "$3"
  # Frames that leave the node's kernel have their checksum: nothing adds it later.
  ethtool -K "$1" tx off >/dev/null
}

number=${NODE_IP##*.}

bridge br-tun "$(cat /sys/class/net/eth1/address)" eth1
ip link set dev br-tun mtu "$(cat /sys/class/net/eth1/mtu)"
vsctl set interface br-tun mtu_request="$(cat /sys/class/net/eth1/mtu)"
ethtool -K eth1 tx off gro off >/dev/null
ip address replace "10.251.0.$number/24" dev br-tun
ip address flush dev eth1 scope global
# The kernel sees what eth1 receives too, and would answer a second time.
nft -f - <<'RULES'
table netdev tunnels
delete table netdev tunnels
table netdev tunnels {
  chain ingress { type filter hook ingress device "eth1" priority -300; policy drop; }
}
RULES

bridge br-ex "$(printf '02:00:0a:fc:00:%02x' "$number")"
ip address replace "10.252.0.$number/24" dev br-ex
