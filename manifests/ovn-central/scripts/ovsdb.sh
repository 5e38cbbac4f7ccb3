#!/bin/bash
# ovsdb.sh nb|sb|relay: the northbound or the southbound database, or a relay of
# the latter, on a Unix socket for this pod and on TLS for others. Socket names
# are the defaults of ovn-nbctl and ovn-sbctl.
#
#   nb     6641  the controller                  trusts the authority `control`
#   sb     6642  nodes, role ovn-controller      trusts the authority `node`
#   relay  6643  the controller, all rights      trusts the authority `control`
#
# One ovsdb-server trusts one set of authorities, so the controller reaches the
# southbound database by another. What a node may write there follows from its
# certificate's common name: northd writes the rules (ovn-sb(5), RBAC_Role).
#
# During an upgrade from v0.1.0 the controller also trusts /tls/shared-ca.crt, the
# one authority of that version. As long as it does, sb shows a certificate of it,
# which the nodes that are not upgraded yet trust alone, and gives no role: all of
# them have one certificate, in which no node is named.
#
# An empty database would make northd and ovn-controller remove everything, so
# they connect to a filled one only: northd by a socket of its own, which opens
# when l2sm-controller has written every network, and nodes by a port that opens
# when northd has translated that and l2sm-controller has registered every node it
# knows: they come one by one, and each would forget those that are not there yet.
# Until then they keep what they have.
set -euo pipefail

run=/run/ovn nodes=/run/ovn/node-authorities.crt own=/tls
# A connection is checked when it is made, and not when its certificate expires:
# none lives longer than this many seconds.
session=${SESSION_SECONDS:-43200}

authorities=/tls/ca.crt
case ${1:-} in
nb)
  socket=$run/ovnnb_db.sock
  remotes=("punix:$socket" "pssl:6641:[$POD_IP]")
  ;;
sb)
  socket=$run/ovnsb_db.sock authorities=$nodes own=$run/sb-tls
  remotes=("punix:$socket")
  ;;
relay)
  socket=$run/ovnsb_relay.sock
  remotes=("punix:$socket" "pssl:6643:[$POD_IP]")
  ;;
*)
  echo "usage: ovsdb.sh nb|sb|relay" >&2
  exit 2
  ;;
esac
database=/var/lib/ovn/ovn$1_db.db
control=$run/ovn$1_db.ctl

nbctl() { ovn-nbctl "--db=unix:$run/ovnnb_db.sock" "$@" 2> /dev/null; }
sbctl() { ovn-sbctl "--db=unix:$run/ovnsb_db.sock" "$@" 2> /dev/null; }
server() { ovs-appctl -t "$control" "ovsdb-server/$1" "$2"; }

# again COMMAND...: until it succeeds, as when a server listens.
again() { until "$@"; do sleep 0.1; done; }

# The controller's first mark is nb_cfg of NB_Global; northd copies it to SB_Global
# in the transaction that writes what follows from the networks. The second is the
# controller's own, see open_to_nodes.
open_to_northd() {
  again nbctl wait-until NB_Global . 'nb_cfg>0'
  again server add-remote punix:$run/northd.sock
  echo "filled: open on $run/northd.sock" >&2
}

# present NAME: the server's own key and certificate are /tls/NAME.key and .crt. It
# reads them again when both have changed, so they change in one instant, and are
# copies, which are newer than all that came before.
present() {
  local next
  next=$(mktemp -d "$run/sb-tls-XXXXXX")
  cp "/tls/$1.key" "$next/tls.key"
  cp "/tls/$1.crt" "$next/tls.crt"
  ln -sf "$next" "$run/sb-tls.next"
  mv --no-target-directory "$run/sb-tls.next" "$run/sb-tls"
}

# shared FILE: whether the authority of v0.1.0 is one of the file's.
shared() { [ -s /tls/shared-ca.crt ] && [[ $(< "$1") == *"$(< /tls/shared-ca.crt)"* ]]; }

open_to_nodes() {
  local port="pssl:6642:[$POD_IP]" connections=db:OVN_Southbound,SB_Global,connections
  local trusted='""' next status as=
  again sbctl wait-until SB_Global . 'nb_cfg>0' external_ids:l2sm-registered=true
  while :; do
    status=0
    nbctl --timeout="$session" wait-until NB_Global . "external_ids:l2sm-node-trust!=$trusted" || status=$?
    case $status in
    0)
      next=$(nbctl --if-exists get NB_Global . external_ids:l2sm-node-trust) || continue
      [ -n "$next" ] || continue
      # It is in quotes, with \n for each end of a line. The server reads the file
      # again when it changes, before it takes the next connection.
      printf %b "${next//\"/}" > "$nodes.next"
      if shared "$nodes.next"; then set -- shared; else set -- tls role=ovn-controller; fi
      if [ "$as" != "$1" ]; then
        present "$1"
        again sbctl set-connection "${@:2}" "$port"
        as=$1
      fi
      mv "$nodes.next" "$nodes"
      ;;
    142) next=$trusted ;; # SIGALRM: the session is over
    *)
      sleep 1 # the northbound database is away, and all stays as it is
      continue
      ;;
    esac
    # One more that is trusted ends no connection.
    if [ "$trusted" = '""' ] || [[ ${next//\"/} != *?"${trusted//\"/}"* ]]; then
      [ "$trusted" = '""' ] || server remove-remote "$connections" || true # a server that died has none
      again server add-remote "$connections"
      echo "filled: open on $port, to certificates of $(grep -c BEGIN "$nodes") authorities" >&2
    fi
    trusted=$next
  done
}

if [ "$1" = relay ]; then
  database=relay:OVN_Southbound:unix:$run/ovnsb_db.sock
elif [ ! -f "$database" ]; then
  ovsdb-tool create "$database" "/usr/share/ovn/ovn-$1.ovsschema"
fi

# Their parents end at once, so that the pod's first process reaps them.
case $1 in
nb) (open_to_northd &) ;;
sb)
  rm -rf "$run"/sb-tls-*
  present tls
  (open_to_nodes &)
  ;;
esac

exec ovsdb-server "${remotes[@]/#/--remote=}" \
  --private-key="$own/tls.key" --certificate="$own/tls.crt" --ca-cert="$authorities" \
  --unixctl="$control" \
  -vconsole:info -vsyslog:off -vfile:off \
  "$database"
