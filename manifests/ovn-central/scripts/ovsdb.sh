#!/bin/bash
# ovsdb.sh nb|sb: the northbound or southbound database, on a Unix socket for
# this pod and on TLS for the others, who must show a certificate of the same
# authority. Socket names are the defaults of ovn-nbctl and ovn-sbctl.
#
# The southbound database opens to the nodes when it follows from a northbound
# one that l2sm-controller has filled. Until then it says that there are no
# networks, and nodes would obey: they keep the flows that they have while they
# cannot connect.
set -euo pipefail

case ${1:-} in
nb) port=6641 ;;
sb) port=6642 ;;
*)
  echo "usage: ovsdb.sh nb|sb" >&2
  exit 2
  ;;
esac
database=/var/lib/ovn/ovn$1_db.db
socket=/run/ovn/ovn$1_db.sock
control=/run/ovn/ovn$1_db.ctl
tls=pssl:$port:[$POD_IP]
remotes=("--remote=punix:$socket")

# northd copies the controller's mark, NB_Global's nb_cfg, to SB_Global in the
# transaction that writes what follows from the networks.
open_when_filled() {
  until ovn-sbctl "--db=unix:$socket" wait-until SB_Global . 'nb_cfg>0' 2> /dev/null &&
    ovs-appctl -t "$control" ovsdb-server/add-remote "$tls"; do
    sleep 0.1 # until the server listens
  done
  echo "the southbound database is filled: open to the nodes" >&2
}

[ -f "$database" ] || ovsdb-tool create "$database" "/usr/share/ovn/ovn-$1.ovsschema"

if [ "$1" = nb ]; then
  remotes+=("--remote=$tls")
else
  # Its parent ends at once, so that the pod's first process reaps it.
  (open_when_filled &)
fi

exec ovsdb-server "${remotes[@]}" \
  --private-key=/tls/tls.key --certificate=/tls/tls.crt --ca-cert=/tls/ca.crt \
  --unixctl="$control" \
  -vconsole:info -vsyslog:off -vfile:off \
  "$database"
