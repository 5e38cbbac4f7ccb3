#!/usr/bin/env bash
# Removes l2sm from a cluster and leaves its nodes as they were. docs/uninstall.md
# says what it does and what it does not. It may be run again after it failed.
#
#   uninstall.sh [--keep-plugin]
#
# KUBECTL: the kubectl to use. OVN_IMAGE: the image l2sm-ovn that cleans the nodes, where
# no ovn-node names it (fabric OVNKubernetes); by default that beside the agent's.
set -euo pipefail
cd "$(dirname "$0")"

keep=false
case ${1:-} in
'') ;;
--keep-plugin) keep=true ;;
*)
  echo "usage: uninstall.sh [--keep-plugin]" >&2
  exit 2
  ;;
esac

k() { "${KUBECTL:-kubectl}" "$@"; }
system() { k -n l2sm-system "$@"; }
say() { echo "== $*"; }

# names KIND: namespace/name of all that there are, also where there is no such kind.
names() { k get "$@" -A -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name} {end}' 2> /dev/null || true; }

# users DEFINITIONS: the pods whose annotations ask for a network of ours. Multus
# calls the plugin for those of them that name a definition, when they end.
users() {
  # shellcheck disable=SC2016 # the template's variables
  k get pods -A -o go-template='{{range .items}}{{$p := .}}{{range $key, $value := .metadata.annotations}}{{$p.metadata.namespace}}/{{$p.metadata.name}} {{$key}} {{printf "%q" $value}}{{"\n"}}{{end}}{{end}}' |
    awk -v definitions="$1" '
      BEGIN { n = split(definitions, all, " "); for (i = 1; i <= n; i++) { split(all[i], part, "/"); ours[part[2]] = 1 } }
      $2 == "l2sm.io/networks" || $2 == "l2sm/networks" { print $1; next }
      $2 == "k8s.v1.cni.cncf.io/networks" {
        pod = $1; $1 = $2 = ""; n = split($0, word, /[^-a-z0-9.]+/)
        for (i = 1; i <= n; i++) if (word[i] in ours) { print pod; next }
      }' | sort -u
}

say "looking for pods that use it"
left=$(users "$(names network-attachment-definitions -l app.kubernetes.io/managed-by=l2sm)")
if [ -n "$left" ] && [ "$keep" = false ]; then
  echo "These pods use l2sm: remove them, or their annotations, first. With --keep-plugin they lose their" >&2
  echo "interfaces and stay, and nodes keep the CNI plugin l2sm, which they need to end:" >&2
  echo "$left" >&2
  exit 1
fi

say "removing what changes new pods, and the controller, which would make definitions again"
k delete -k ../policies/mutating --ignore-not-found || true # older clusters have no such kind
system delete deployment l2sm-controller --ignore-not-found --cascade=foreground
if [ -n "$(names network-attachment-definitions -l app.kubernetes.io/managed-by=l2sm)" ]; then
  k delete network-attachment-definitions -A -l app.kubernetes.io/managed-by=l2sm
fi

say "removing networks, whose finalizer no controller takes off now, and attachments"
for network in $(names l2networks); do
  k -n "${network%/*}" delete l2network "${network#*/}" --ignore-not-found --wait=false
  k -n "${network%/*}" patch l2network "${network#*/}" --type=merge -p '{"metadata": {"finalizers": null}}' 2> /dev/null || true # gone
done
if [ -n "$(names l2attachments)" ]; then
  k delete l2attachments -A --all
fi

say "removing what runs on the nodes, and OVN's databases"
# of DAEMONSET PATH: what it says, nothing where it is not there.
of() { system get daemonset "$1" --ignore-not-found -o jsonpath="{.spec.template.spec.$2}"; }
image=$(of ovn-node 'containers[0].image')
settings=$(of ovn-node 'containers[?(@.name=="ovn-controller")].envFrom[0].configMapRef.name')
northbound=
if [ -z "$image" ] && [ -n "$(of l2sm-agent 'containers[0].image')" ]; then
  image=$(of l2sm-agent 'containers[0].image' | sed 's,l2sm-agent,l2sm-ovn,')
  image=${OVN_IMAGE:-${image%@*}}
  settings=$(of l2sm-agent 'containers[0].envFrom[0].configMapRef.name')
  northbound=$(of l2sm-agent 'containers[0].env[?(@.name=="NB_ENDPOINTS")].value')
fi
if [ -n "$image" ]; then
  bin=$(of l2sm-agent 'volumes[?(@.name=="cni-bin")].hostPath.path')
  system create configmap l2sm-clean-node --dry-run=client -o yaml --from-file=clean-node.sh \
    --from-literal=IMAGE="$image" --from-literal=CNI_BIN="${bin:-/opt/cni/bin}" --from-literal=TUNNEL_INTERFACE="$(system get configmap "$settings" -o jsonpath='{.data.TUNNEL_INTERFACE}')" \
    --from-literal=EDGE_INTERFACE="$(system get configmap "$settings" -o jsonpath='{.data.EDGE_INTERFACE}')" \
    --from-literal=KEEP_PLUGIN="$keep" --from-literal=NB_ENDPOINTS="$northbound" | k apply -f -
fi
# The edges first: Open vSwitch must not end before they have withdrawn what they announce.
system delete daemonset l2sm-edge --ignore-not-found --cascade=foreground
system delete daemonset l2sm-agent ovn-node --ignore-not-found --cascade=foreground
system delete deployment ovn-central --ignore-not-found --cascade=foreground

if system get configmap l2sm-clean-node > /dev/null 2>&1; then
  say "cleaning the nodes"
  image=$(system get configmap l2sm-clean-node -o jsonpath='{.data.IMAGE}')
  bin=$(system get configmap l2sm-clean-node -o jsonpath='{.data.CNI_BIN}')
  sed -e "s,image: l2sm-ovn,image: $image," -e "s,path: /opt/cni/bin,path: $bin," daemonset.yaml | k apply -f -
  done=true
  system rollout status daemonset l2sm-clean-node --timeout=120s || done=false
  system logs -l app.kubernetes.io/name=l2sm-clean-node -c clean-node --tail=-1 --prefix=false || true
  if [ "$done" = false ]; then
    echo "some nodes are not clean: see above, and run it again" >&2
    exit 1
  fi
  system delete daemonset l2sm-clean-node --cascade=foreground
fi

say "removing kinds, policies, roles and the namespace"
k delete -k ../default --ignore-not-found || true # what is gone already, and kinds that older clusters lack
k delete clusterrolebinding,clusterrole l2sm-agent-zone l2sm-controller-peers l2sm-edge --ignore-not-found # of fabrics Zones and OVNKubernetes, and of edges
k delete namespace l2sm-edge --ignore-not-found --wait=false
for namespace in l2sm-system l2sm-edge; do
  if k get namespace "$namespace" > /dev/null 2>&1; then
    k wait --for=delete "namespace/$namespace" --timeout=120s
  fi
done
say "done"
