#!/usr/bin/env bash
# Brings l2sm on a cluster to this checkout's version, part by part, so that running
# pods keep their connections. docs/upgrade.md says what each part costs. It may be
# run again after it failed, and with another version's checkout it goes back.
#
#   upgrade.sh OVERLAY [crds|control|agents|nodes|edges]...
#
# OVERLAY: the folder of the installation's kustomization, or a file of what else
# rendered it, such as helm template. Without parts: all of them, in this order.
# KUBECTL: the kubectl to use.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: upgrade.sh OVERLAY [crds|control|agents|nodes|edges]..." >&2; exit 2; }
overlay=$1
shift

k() { "${KUBECTL:-kubectl}" "$@"; }
system() { k -n l2sm-system "$@"; }
say() { echo "== $*"; }

rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT

render() {
  if [ -f "$overlay" ]; then cat "$overlay"; else k kustomize "$overlay"; fi
}

# Each object goes to the file of its part. What agents may do changes with them: those of
# the other version, which run until then, could not read what they need after a restart.
render | awk -v dir="$rendered" '
  function flush() {
    if (text == "") return
    if (kind == "CustomResourceDefinition") part = "crds"
    else if (kind == "DaemonSet" && name == "l2sm-agent") part = "agents"
    else if (kind ~ /^(Cluster)?Role(Binding)?$/ && name ~ /^l2sm-agent/) part = "agents"
    else if (name == "l2sm-edge") part = "edges"
    else if (kind == "DaemonSet") part = "nodes"
    else part = "control"
    printf "---\n%s", text > (dir "/" part ".yaml")
    text = kind = name = ""
  }
  /^---$/ { flush(); next }
  /^kind: / { kind = $2 }
  /^  name: / && name == "" { name = $2 }
  { text = text $0 "\n" }
  END { flush() }'

# connected: every node that has an ovn-node is in OVN's database, whatever its
# version. Its Chassis may be l2sm-controller's, Chassis_Private is the node's own.
connected() {
  local want have
  want=$(system get daemonset ovn-node --ignore-not-found -o jsonpath='{.status.currentNumberScheduled}')
  have=$(system exec deploy/ovn-central -c sb -- ovn-sbctl --timeout=5 --bare --columns=name list Chassis_Private 2> /dev/null | grep -c . || true)
  [ "${have:-0}" -ge "${want:-0}" ]
}

crds() {
  say "the kinds of the API; objects stay as they are"
  k apply -f "$rendered/crds.yaml"
  k wait --for=condition=Established --timeout=60s -f "$rendered/crds.yaml"
}

control() {
  say "OVN's databases and the controller, with everything that is no node's"
  k apply -f "$rendered/control.yaml"
  local central=''
  ! grep -q '^  name: ovn-central$' "$rendered/control.yaml" || central=yes # fabric Zones has none
  [ -z "$central" ] || system rollout status deployment/ovn-central --timeout=5m
  system rollout status deployment/l2sm-controller --timeout=5m
  [ -n "$central" ] || return 0
  say "waiting until every node is connected to the new databases: the next parts need it"
  local waited
  for ((waited = 0; waited < 150; waited++)); do
    ! connected || return 0
    sleep 2
  done
  echo "some nodes are not connected after 5 minutes: kubectl -n l2sm-system exec deploy/ovn-central -c sb -- ovn-sbctl show" >&2
  echo "pods go on talking meanwhile; see the log of ovn-controller on a node that is missing there" >&2
  exit 1
}

agents() {
  say "the agents, which get nodes their certificates"
  k apply -f "$rendered/agents.yaml"
  system rollout status daemonset/l2sm-agent --timeout=10m
}

# pull gets the image onto every node: between two pods of ovn-node a node has no
# Open vSwitch, and frames to new neighbours wait for it. A version without an image
# ends here, where no node has lost anything.
pull() {
  local image failed=''
  image=$(awk '$1 == "image:" { print $2; exit }' "$rendered/nodes.yaml")
  say "having every node pull $image"
  cat > "$rendered/pull.yaml" << EOF
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ovn-node-image, namespace: l2sm-system}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: ovn-node-image}}
  updateStrategy: {rollingUpdate: {maxUnavailable: 100%}}
  template:
    metadata: {labels: {app.kubernetes.io/name: ovn-node-image}}
    spec:
      tolerations: [{operator: Exists}]
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      containers:
      - name: pull
        image: $image
        imagePullPolicy: IfNotPresent
        command: [sleep, infinity]
        resources: {requests: {cpu: 1m, memory: 8Mi}}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
EOF
  k apply -f "$rendered/pull.yaml"
  system rollout status daemonset/ovn-node-image --timeout=30m || failed=yes
  k delete --wait=false -f "$rendered/pull.yaml"
  [ -z "$failed" ] || {
    echo "some nodes can't get $image; no node has lost its Open vSwitch yet. Run it again when they can" >&2
    exit 1
  }
}

nodes() {
  pull
  say "Open vSwitch and ovn-controller, one node after the other"
  k apply -f "$rendered/nodes.yaml"
  system rollout status daemonset/ovn-node --timeout=60m
}

# edges come after what they talk to. Frames pass while one is replaced.
edges() {
  [ -e "$rendered/edges.yaml" ] || return 0 # without manifests/edge
  say "the edges"
  k apply -f "$rendered/edges.yaml"
  system rollout status daemonset/l2sm-edge --timeout=10m
}

for part in "${@:-crds control agents nodes edges}"; do
  for each in $part; do
    case $each in
    crds | control | agents | nodes | edges) "$each" ;;
    *) echo "no part $each: there are crds, control, agents, nodes, edges" >&2; exit 2 ;;
    esac
  done
done
say "done"
