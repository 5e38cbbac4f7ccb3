#!/bin/bash
# The node's switch.
set -euo pipefail

[ "$DATAPATH" = system ] || bash /scripts/br-ext.sh

rm -f /run/openvswitch/ovs-vswitchd.*.ctl # of those that were killed

# --monitor: a crash must not wait for the kubelet's back-off, as the node's pods
# are cut off for so long.
exec ovs-vswitchd unix:/run/openvswitch/db.sock --monitor \
  --pidfile=/run/openvswitch/ovs-vswitchd.pid \
  -vconsole:info -vsyslog:off -vfile:off
