#!/bin/bash
# ovsdb.sh nb|sb: the northbound or southbound database, on a Unix socket for
# this pod and on TLS for the others, who must show a certificate of the same
# authority. Socket names are the defaults of ovn-nbctl and ovn-sbctl.
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

[ -f "$database" ] || ovsdb-tool create "$database" "/usr/share/ovn/ovn-$1.ovsschema"

exec ovsdb-server \
  --remote="punix:/run/ovn/ovn$1_db.sock" \
  --remote="pssl:$port:[$POD_IP]" \
  --private-key=/tls/tls.key --certificate=/tls/tls.crt --ca-cert=/tls/ca.crt \
  --unixctl="/run/ovn/ovn$1_db.ctl" \
  -vconsole:info -vsyslog:off -vfile:off \
  "$database"
