#!/bin/bash
# Takes from one node what l2sm has left there, once its pods are gone. It may run
# any number of times, and leaves alone what is not l2sm's.
#
# HOST: where the node's /run, /var/lib and /opt/cni/bin are mounted.
# TUNNEL_INTERFACE, EDGE_INTERFACE: the installation's settings. KEEP_PLUGIN: true leaves the CNI
# plugin, which pods that still have interfaces need to end. NB_ENDPOINTS: the
# northbound database of a node whose OVN is OVN-Kubernetes', as the agent has it.
set -euo pipefail

run=$HOST/run lib=$HOST/var/lib bin=$HOST/opt/cni/bin
database=$lib/l2sm/openvswitch/conf.db

say() { echo "node $NODE_NAME: $*"; }
die() { say "$@" >&2; exit 1; }

# remove FOLDER: what is in it, at least; it may be a mount of the node's.
remove() {
  [ -d "$1" ] || return 0
  find "$1" -mindepth 1 -delete
  rmdir "$1" 2> /dev/null || true
}

there() { ip link show dev "$1" > /dev/null 2>&1; }

# Ours is an Open vSwitch whose database is where ovn-node has it. Another's, for
# which ovn-node never started, has nothing of ours in its folders and datapath.
ours() { [ -e "$database" ]; }

if ours && ovsdb-client --timeout=2 list-dbs "unix:$run/openvswitch/db.sock" > /dev/null 2>&1; then
  die "Open vSwitch still runs; remove DaemonSet ovn-node first"
fi

# return_nic NIC BRIDGE TABLE: the NIC gets back what br-ext.sh moved: the bridge
# outlives Open vSwitch.
return_nic() {
  local nic=$1 bridge=$2 record=$run/openvswitch/$2.ip
  [ -n "$nic" ] && [ -s "$record" ] && there "$nic" || return 0
  nft delete table netdev "$3" 2> /dev/null || true
  sed "s/ dev $bridge/ dev $nic/" "$record" > "$record.back"
  if there "$bridge"; then
    ip address flush dev "$bridge" scope global
    ip link set dev "$bridge" down
  fi
  ip link set dev "$nic" promisc off up # Open vSwitch heard all frames
  ip -batch "$record.back"
  ethtool -K "$nic" tx on gro on > /dev/null 2>&1 || true # where it has them
  say "gave $nic back its addresses and routes"
}

# The kernel's datapath holds its ports after ovs-vswitchd has ended. One that holds
# another's ports stays.
remove_datapath() {
  local port foreign=
  there ovs-system || return 0
  for port in $(ovs-dpctl show ovs-system | awk '$1 == "port" {print $3}'); do
    case $port in
    ovs-system | br-int | br-edge | genev_sys_* | vxlan_sys_4789 | l2p*) ;;
    *) foreign="$foreign $port" ;;
    esac
  done
  [ -z "$foreign" ] || die "datapath ovs-system has ports that are not l2sm's:$foreign"
  ovs-dpctl del-dp ovs-system
  say "removed datapath ovs-system"
}

# What is ours in databases of OVN-Kubernetes: the agent takes it out, and may have
# been gone before it was done. A switch takes its ports along.
remove_rows() {
  local table row port
  local nb=(ovn-nbctl "--db=unix:$HOST${NB_ENDPOINTS#unix:}" --timeout=10)
  local vs=(ovs-vsctl "--db=unix:$run/openvswitch/db.sock" --timeout=10)
  for table in Logical_Switch DHCP_Options; do
    for row in $("${nb[@]}" --bare --columns=_uuid find "$table" 'external_ids:"l2sm.io/network"!=""'); do
      "${nb[@]}" destroy "$table" "$row"
      say "removed a row of $table"
    done
  done
  for port in $("${vs[@]}" --bare --columns=name find Interface 'external_ids:"l2sm.io/attachment"!=""'); do
    "${vs[@]}" --no-wait -- --if-exists del-port br-int "$port"
    say "removed port $port"
  done
}

# Host ends of pods' interfaces: their alias begins with l2sm.
remove_links() {
  local name
  for name in $(ip -oneline link show type veth | awk '/alias l2sm / {sub("[:@].*", "", $2); print $2}'); do
    ip link delete dev "$name"
    say "removed link $name"
  done
}

if [[ ${NB_ENDPOINTS:-} == unix:* ]] && ! ours; then
  remove_rows
fi
if ours; then
  return_nic "${TUNNEL_INTERFACE:-}" br-ext l2sm
  return_nic "${EDGE_INTERFACE:-}" br-wan l2sm-wan
  remove_datapath
  # Edges' devices are among them; what they wrote goes with the database.
  for name in br-ext br-wan br-edge br-edge-wg l2sm-wg br-int ovs-netdev genev_sys_6081 vxlan_sys_4789; do
    if there "$name"; then
      ip link delete dev "$name"
    fi
  done
fi
remove_links
for table in "inet l2sm-underlay" "netdev l2sm-pods" "netdev l2sm" "netdev l2sm-wan" "inet l2sm-wireguard"; do
  # shellcheck disable=SC2086 # two words
  nft delete table $table 2> /dev/null || true # where it is not there
done
if [ "${KEEP_PLUGIN:-false}" != true ]; then
  rm -f "$bin/l2sm" "$bin/l2sm.new"
fi
if ours; then
  remove "$run/openvswitch"
fi
remove "$run/l2sm"
remove "$lib/l2sm" # last: what is in it says what is ours
say "clean"
