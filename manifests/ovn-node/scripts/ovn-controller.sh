#!/bin/bash
# Writes this chassis' name and the southbound database's address into Open
# vSwitch, and runs ovn-controller.
set -euo pipefail
# shellcheck source=underlay.sh source-path=SCRIPTDIR
. "$(dirname "$0")/underlay.sh"

die() {
  echo "node $NODE_NAME: $*" >&2
  exit 1
}

# Kubernetes fills in the Service's address when it starts a container, and not
# when the Service comes later.
case $SB_ENDPOINTS in
*OVN_CENTRAL_SERVICE_HOST*) die "Service ovn-central did not exist yet, trying again" ;;
esac

case $FABRIC:$SB_ENDPOINTS in
Central:unix:* | Zones:[!u]*) die "FABRIC is $FABRIC, and the southbound database $SB_ENDPOINTS: set FABRIC by the component manifests/zones, or leave it Central" ;;
esac

# l2sm-agent on this node writes the files, the certificate last. For that it needs
# the API server and l2sm-controller, and nothing of this pod. ovn-controller reads
# them again when they change.
await_certificate() {
  local waited
  for ((waited = 0; waited < 300; waited++)); do
    [ ! -s /tls/tls.crt ] || return 0
    ((waited % 30)) || echo "node $NODE_NAME: waiting for l2sm-agent to write /run/l2sm/ovn/tls.crt" >&2
    sleep 1
  done
  die "no certificate in /run/l2sm/ovn after 5 minutes: see the log of l2sm-agent on this node, and kubectl get csr"
}

certificate=()
case $SB_ENDPOINTS in
*ssl:*)
  await_certificate
  certificate=(--private-key=/tls/tls.key --certificate=/tls/tls.crt --ca-cert=/tls/ca.crt)
  ;;
esac

# check-node.sh has seen it; it may have gone since.
encap_ip=$(tunnel_ip)
[ -n "$encap_ip" ] || die "no address of family $UNDERLAY_FAMILY for tunnels any more: NODE_IPS are $NODE_IPS, TUNNEL_INTERFACE is \"$TUNNEL_INTERFACE\""

# Without ovn-monitor-all, what the flows are made of arrives in several answers
# of the database, and a starting ovn-controller clears the old flows before the
# last one: pods' traffic would stop (measured: 1 % of the flows are left). So it
# waits, in ms, where an earlier one has left flows; new ports wait as well. Where
# there are none, as after a start of ovs-vswitchd, waiting would only cost time.
interconn=false monitor_all=false wait_before_clear=0
if [ "$FABRIC" = Zones ]; then
  interconn=true monitor_all=true
elif ovs-ofctl --timeout=5 dump-aggregate br-int 2> /dev/null | grep -q 'flow_count=[1-9]'; then
  wait_before_clear=5000
fi

# ovn-monitor-all=false: a node reads what its own ports need, so that it doesn't
# pay for those of all others: `bin/scale monitor` measures what that costs a new
# port, and what it saves. A database of the node's own holds nothing else, and all of
# it comes in one answer.
# ovn-is-interconn: makes tunnels to chassis of other zones.
# ovn-set-local-ip: tunnels leave with the address that the other nodes know. The
# kernel would take its interface's primary one, from which they take nothing.
# ovn-cms-options: marks the chassis as ours, to be deleted with its node.
# ovs_version and l2sm-ovn-version: for the agent, which shows them in the L2Node.
ovs-vsctl --retry --timeout=30 --no-wait set Open_vSwitch . \
  ovs_version="$(ovs-vswitchd --version | awk 'NR == 1 {print $NF}')" \
  external_ids:system-id="$NODE_NAME" \
  external_ids:hostname="$NODE_NAME" \
  external_ids:ovn-remote="\"$SB_ENDPOINTS\"" \
  external_ids:ovn-encap-type=geneve \
  external_ids:ovn-encap-ip="\"$encap_ip\"" \
  external_ids:ovn-bridge-datapath-type="$DATAPATH" \
  external_ids:ovn-set-local-ip=true \
  external_ids:ovn-is-interconn="$interconn" \
  external_ids:ovn-monitor-all="$monitor_all" \
  external_ids:ovn-ofctrl-wait-before-clear="$wait_before_clear" \
  external_ids:ovn-cms-options=l2sm \
  external_ids:l2sm-ovn-version="$(ovn-controller --version | awk 'NR == 1 {print $2}')"

rm -f /run/ovn/ovn-controller.*.ctl # of those that were killed
exec ovn-controller unix:/run/openvswitch/db.sock \
  "${certificate[@]}" \
  --pidfile=/run/ovn/ovn-controller.pid \
  -vconsole:info -vsyslog:off -vfile:off
