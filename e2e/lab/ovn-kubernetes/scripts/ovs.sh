#!/bin/bash
# ovs.sh database | switch: a daemon of the node's Open vSwitch. It has no part
# in OVN-Kubernetes' own pods, as on nodes where the system starts it.
set -euo pipefail
folder=/var/lib/ovn-kubernetes/ovs

log=(-vconsole:info -vsyslog:off -vfile:off)
case $1 in
database)
  mkdir -p "$folder"
  [ -f "$folder/conf.db" ] || ovsdb-tool create "$folder/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  rm -f /run/openvswitch/ovsdb-server.*.ctl # of those that were killed
  exec ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile=/run/openvswitch/ovsdb-server.pid "${log[@]}" "$folder/conf.db"
  ;;
switch)
  until [ -S /run/openvswitch/db.sock ]; do sleep 0.1; done
  # The chassis of the node in OVN, for as long as the node's disk lives.
  [ -s "$folder/system-id" ] || cat /proc/sys/kernel/random/uuid >"$folder/system-id"
  ovs-vsctl --retry --timeout=30 --no-wait set Open_vSwitch . \
    external_ids:system-id="$(cat "$folder/system-id")" external_ids:ovn-bridge-datapath-type=netdev
  bash "$(dirname "$0")/bridges.sh"
  rm -f /run/openvswitch/ovs-vswitchd.*.ctl
  exec ovs-vswitchd unix:/run/openvswitch/db.sock --pidfile=/run/openvswitch/ovs-vswitchd.pid "${log[@]}"
  ;;
*) echo "usage: $0 database | switch" >&2 && exit 2 ;;
esac
