#!/bin/bash
# The node's Open vSwitch database. It outlives this pod on the node's disk, so
# that the ports of running pods are still there when the pod is replaced.
set -euo pipefail

directory=/var/lib/l2sm/openvswitch
database=$directory/conf.db
schema=/usr/share/openvswitch/vswitch.ovsschema
socket=/run/openvswitch/db.sock

# Whatever can write these configures the node's network.
chmod 0700 "$directory" /run/openvswitch

# After an update the database is converted. One that can't be converted, as
# after a downgrade, is moved aside: all that it holds is re-created.
if [ -f "$database" ] && [ "$(ovsdb-tool needs-conversion "$database" "$schema")" != no ] &&
  ! ovsdb-tool convert "$database" "$schema"; then
  echo "node $NODE_NAME: start with an empty Open vSwitch database, the former is in $database.old" >&2
  mv "$database" "$database.old"
fi
[ -f "$database" ] || ovsdb-tool create "$database" "$schema"

rm -f /run/openvswitch/ovsdb-server.*.ctl # of those that were killed
exec ovsdb-server \
  --remote="punix:$socket" \
  --pidfile=/run/openvswitch/ovsdb-server.pid \
  -vconsole:info -vsyslog:off -vfile:off \
  "$database"
