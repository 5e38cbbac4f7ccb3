#!/bin/bash
# The node's switch.
set -euo pipefail

case $DATAPATH in
system)
  # Asking for the datapath also makes the kernel load its module, which a
  # container may not do by itself.
  if ! ovs-dpctl dump-dps; then
    echo "node $NODE_NAME has no kernel module openvswitch. Install it" \
      "(modprobe openvswitch must succeed on the node) or set DATAPATH=netdev." >&2
    exit 1
  fi
  ;;
netdev)
  /bin/bash /scripts/br-ext.sh
  ;;
*)
  echo "DATAPATH is \"$DATAPATH\": want system or netdev" >&2
  exit 1
  ;;
esac

rm -f /run/openvswitch/ovs-vswitchd.*.ctl # of those that were killed

# --monitor: a crash must not wait for the kubelet's back-off, as the node's pods
# are cut off for so long.
exec ovs-vswitchd unix:/run/openvswitch/db.sock --monitor \
  --pidfile=/run/openvswitch/ovs-vswitchd.pid \
  -vconsole:info -vsyslog:off -vfile:off
