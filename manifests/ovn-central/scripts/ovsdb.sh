#!/bin/bash
# ovsdb.sh nb|sb: the northbound or southbound database, on a Unix socket for
# this pod and on TLS for other clients, which must show a certificate of the same
# authority. Socket names are the defaults of ovn-nbctl and ovn-sbctl.
#
# An empty database would make northd and ovn-controller remove everything, so
# they connect to a filled one only: northd by a socket of its own, which opens
# when l2sm-controller has written every network, and nodes by a port that opens
# when northd has translated that. Until then they keep what they have.
set -euo pipefail

case ${1:-} in
nb)
  socket=/run/ovn/ovnnb_db.sock ctl=ovn-nbctl table=NB_Global
  now=("punix:$socket" "pssl:6641:[$POD_IP]") filled=punix:/run/ovn/northd.sock
  ;;
sb)
  socket=/run/ovn/ovnsb_db.sock ctl=ovn-sbctl table=SB_Global
  now=("punix:$socket") filled="pssl:6642:[$POD_IP]"
  ;;
*)
  echo "usage: ovsdb.sh nb|sb" >&2
  exit 2
  ;;
esac
database=/var/lib/ovn/ovn$1_db.db
control=/run/ovn/ovn$1_db.ctl

# The controller's mark is nb_cfg of NB_Global; northd copies it to SB_Global in
# the transaction that writes what follows from the networks.
open_when_filled() {
  until "$ctl" "--db=unix:$socket" wait-until "$table" . 'nb_cfg>0' 2> /dev/null &&
    ovs-appctl -t "$control" ovsdb-server/add-remote "$filled"; do
    sleep 0.1 # until the server listens
  done
  echo "filled: open on $filled" >&2
}

[ -f "$database" ] || ovsdb-tool create "$database" "/usr/share/ovn/ovn-$1.ovsschema"

# Its parent ends at once, so that the pod's first process reaps it.
(open_when_filled &)

exec ovsdb-server "${now[@]/#/--remote=}" \
  --private-key=/tls/tls.key --certificate=/tls/tls.crt --ca-cert=/tls/ca.crt \
  --unixctl="$control" \
  -vconsole:info -vsyslog:off -vfile:off \
  "$database"
