#!/bin/bash
# database.sh nb | sb: a database of the node's zone, kept on the node's disk.
set -euo pipefail
folder=/var/lib/ovn-kubernetes/ovn
run=/run/ovn

mkdir -p "$folder"
[ -f "$folder/$1.db" ] || ovsdb-tool create "$folder/$1.db" "/usr/share/ovn/ovn-$1.ovsschema"
rm -f "$run/ovn$1_db.ctl"

# The zone's name is the node's; ovnkube waits for it.
name_zone() {
  until ovn-nbctl --timeout=10 --db=unix:$run/ovnnb_db.sock init 2>/dev/null; do sleep 0.1; done
  ovn-nbctl --timeout=60 --db=unix:$run/ovnnb_db.sock set NB_Global . \
    name="$NODE_NAME" options:name="$NODE_NAME" options:northd-backoff-interval-ms=300
}
[ "$1" != nb ] || name_zone &

exec ovsdb-server --remote="punix:$run/ovn$1_db.sock" --unixctl="$run/ovn$1_db.ctl" --pidfile="$run/ovn$1_db.pid" \
  -vconsole:info -vsyslog:off -vfile:off "$folder/$1.db"
