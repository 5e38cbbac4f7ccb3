#!/bin/bash
# zone.sh nb|sb: this node's own northbound or southbound database, on Unix sockets
# that root alone reaches. Those of the databases have the names that ovn-nbctl and
# ovn-sbctl look for.
#
#   ovnnb_db.sock  l2sm-agent                northd.sock   the same for northd
#   ovnsb_db.sock  l2sm-agent and northd     chassis.sock  the same for ovn-controller
#
# An empty database would make northd and ovn-controller remove everything, so theirs
# open when they are filled: northd's when l2sm-agent has written the networks of this
# node (nb_cfg of NB_Global), ovn-controller's when northd has translated them, which
# copies that mark to SB_Global. Until then both keep what they have.
#
# The databases are in the node's memory: they outlive this pod, and not a reboot.
# l2sm-agent writes all of it again from the API.
set -euo pipefail

run=/run/ovn
case ${1:-} in
nb) ctl=ovn-nbctl global=NB_Global gate=$run/northd.sock ;;
sb) ctl=ovn-sbctl global=SB_Global gate=$run/chassis.sock ;;
*)
  echo "usage: zone.sh nb|sb" >&2
  exit 2
  ;;
esac
socket=$run/ovn$1_db.sock control=$run/ovn$1_db.ctl
database=$run/ovn$1_db.db schema=/usr/share/ovn/ovn-$1.ovsschema

# again COMMAND...: until it succeeds, as when the server listens.
again() { until "$@" 2> /dev/null; do sleep 0.1; done; }

open_gate() {
  again "$ctl" "--db=unix:$socket" wait-until "$global" . 'nb_cfg>0'
  again ovs-appctl -t "$control" ovsdb-server/add-remote "punix:$gate"
  echo "filled: open on $gate" >&2
}

# Whatever can write these decides what this node forwards.
chmod 0700 "$run"

# After an update the database is converted. What can't be, as after a downgrade,
# l2sm-agent writes again.
if [ -f "$database" ] && [ "$(ovsdb-tool needs-conversion "$database" "$schema")" != no ] &&
  ! ovsdb-tool convert "$database" "$schema"; then
  echo "start with an empty database: the former can't be read or converted" >&2
  rm "$database"
fi
if [ ! -f "$database" ]; then
  rm -f "$database.new" # of one that was killed
  ovsdb-tool create "$database.new" "$schema"
  mv "$database.new" "$database"
fi

# What a former server has left would refuse: whoever finds none waits.
rm -f "$gate"
# Its parent ends at once, so that the pod's first process reaps it.
(open_gate &)

exec ovsdb-server "--remote=punix:$socket" --unixctl="$control" \
  -vconsole:info -vsyslog:off -vfile:off \
  "$database"
