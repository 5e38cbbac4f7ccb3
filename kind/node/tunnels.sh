#!/bin/bash
# Makes eth1, for tunnels, of a node's only interface: a macvlan with an address of
# its own. l2sm-tunnels.service runs it at each start of the node, before the kubelet.
#
# A second network of Docker's would give a node a second address in its
# /etc/hosts, of which kind takes any for the node's own at the next start. The
# container engine does not know of this one.
set -euo pipefail

# The last two numbers of eth0's address are the node's: no two of a network have
# the same, whatever order nodes are started in.
address=$(ip -4 -oneline address show dev eth0 scope global | awk '{sub("/.*", "", $4); print $4; exit}')
if [ -z "$address" ]; then
  echo "eth0 has no IPv4 address: eth1 is made of one (an IPv6-only cluster needs another way, see kind/README.md)" >&2
  exit 1
fi
IFS=. read -r _ _ third fourth <<< "$address"

if ! ip link show dev eth1 > /dev/null 2>&1; then
  ip link add eth1 link eth0 type macvlan mode bridge
fi
# Both see each other's broadcasts. eth0 must not answer for eth1's address: packets
# for tunnels would come in by it, past Open vSwitch.
echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_ignore
echo 1 > /proc/sys/net/ipv4/conf/eth1/arp_ignore
# Open vSwitch may have moved the address to br-ext, which ends with the node.
if ! ip link show dev br-ext > /dev/null 2>&1; then
  ip address replace "10.251.$third.$fourth/16" dev eth1
fi
ip link set dev eth1 up
