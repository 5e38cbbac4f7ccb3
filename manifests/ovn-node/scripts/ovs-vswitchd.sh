#!/bin/bash
# The node's switch. It is started again at once when it dies, without the
# kubelet's back-off, and with its flows kept as flows.sh says: the node's pods
# depend on it.
set -euo pipefail
# shellcheck source=flows.sh source-path=SCRIPTDIR
. "$(dirname "$0")/flows.sh"

if [ "$DATAPATH" = netdev ]; then
  bash "$(dirname "$0")/br-ext.sh" "$TUNNEL_INTERFACE" br-ext
  # Only edges have it, and a node's pods do not depend on its edge.
  if [ -n "${EDGE_INTERFACE:-}" ] && [ -d "/sys/class/net/$EDGE_INTERFACE" ]; then
    bash "$(dirname "$0")/br-ext.sh" "$EDGE_INTERFACE" br-wan || echo "node $NODE_NAME: go on without $EDGE_INTERFACE; an edge on this node reaches no peer by it" >&2
  fi
fi

stop() {
  stopping=yes
  save_flows || true
  kill -TERM "$daemon" 2>/dev/null || true
}
stopping='' daemon='' status=0
trap stop TERM INT

while [ -z "$stopping" ]; do
  rm -f /run/openvswitch/ovs-vswitchd.*.ctl # of those that were killed
  hold_flows
  started=$SECONDS
  ovs-vswitchd unix:/run/openvswitch/db.sock \
    --pidfile=/run/openvswitch/ovs-vswitchd.pid \
    -vconsole:info -vsyslog:off -vfile:off &
  daemon=$!
  release_flows &
  release=$!
  # A signal's trap ends a wait early, with more than 128 as status.
  while kill -0 "$daemon" 2>/dev/null; do wait "$daemon" || status=$?; done
  kill "$release" 2>/dev/null || true
  [ -z "$stopping" ] || break
  echo "node $NODE_NAME: ovs-vswitchd ended (status $status) after $((SECONDS - started)) s" >&2
  # One that does not stay up is the kubelet's to try again, later and later.
  [ $((SECONDS - started)) -ge 5 ] || exit 1
done
