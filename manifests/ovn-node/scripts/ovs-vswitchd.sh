#!/bin/bash
# The node's switch.
set -euo pipefail

[ "$DATAPATH" = system ] || bash /scripts/br-ext.sh

rm -f /run/openvswitch/ovs-vswitchd.*.ctl # of those that were killed

# --monitor: restarts it at once after a crash, without the kubelet's back-off. The
# node's pods are cut off until then.
exec ovs-vswitchd unix:/run/openvswitch/db.sock --monitor \
  --pidfile=/run/openvswitch/ovs-vswitchd.pid \
  -vconsole:info -vsyslog:off -vfile:off
