#!/usr/bin/env bash
# What make demo, install and test-e2e do, one line and its time for each step.
#
#   steps.sh demo NAME NODES | install NAME | chart NAME | test NAME NODES | quick NAME NODES | test-nri NAME | test-zones NAME | test-ovnk NAME | bench-peers NAME
#   steps.sh clusters-demo EAST WEST | clusters-up EAST WEST | test-clusters EAST WEST
#
# L2SM_KUBERNETES and L2SM_RUNTIME choose what a new cluster runs: the flags
# --kubernetes and --runtime of `bin/lab up`. Of two clusters L2SM_EAST_OVERLAY and
# L2SM_WEST_OVERLAY choose how l2sm is installed (manifests/overlays/lab-edge-zones is
# fabric Zones), and L2SM_SCENARIOS which scenarios run, as go test -run.
set -euo pipefail
cd "$(dirname "$0")/.."

command=$1 name=$2 nodes=${3:-3}
began=$SECONDS
patience=${L2SM_LAB_PATIENCE:-1} # see e2e/lab/patience
kubernetes=${L2SM_KUBERNETES:-} runtime=${L2SM_RUNTIME:-} no_multus=false main_cni=ptp tags=e2e
product=(ovn controller agent) # images that are installed

# Before 1.36 the API server has no MutatingAdmissionPolicy.
case $kubernetes in
  1.3[2-5]) usual=manifests/overlays/lab-before-1.36 ;;
  *) usual=manifests/overlays/lab ;;
esac
overlay=${L2SM_OVERLAY:-$usual}

lab() { bin/lab --name "$name" "$@"; }
up() { lab up --nodes "$nodes" ${kubernetes:+--kubernetes "$kubernetes"} ${runtime:+--runtime "$runtime"} --main-cni "$main_cni" --no-multus="$no_multus"; }
kubectl() { lab kubectl "$@"; }
say() { printf '%4ds  %s\n' $((SECONDS - began)) "$*"; }

# quietly runs a step; what it printed is shown if it fails.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" > "$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "failed: $*" >&2
    return 1
  fi
  rm -f "$log"
}

install_l2sm() {
  build_images
  install_images
}

build_images() {
  say "building the images of l2sm and OVN ($OVN_SUITE); a minute the first time"
  bin/lab images "${product[@]}"
}

install_images() {
  local files=("${product[@]/#/bin/images/}")
  say "loading them into the nodes of $name"
  quietly lab load "${files[@]/%/.tar}"
  say "applying $overlay"
  quietly kubectl apply -k "$overlay"
  say "waiting for OVN, the controller and the agents"
  for workload in $(kubectl -n l2sm-system get deployments,daemonsets -o name); do
    quietly kubectl -n l2sm-system rollout status "$workload" --timeout=$((180 * patience))s
  done
}

demo() {
  say "bringing up $nodes nodes; the first time it downloads and builds Kubernetes: 6 to 10 minutes on 2 cores"
  up
  install_l2sm
  say "two pods on two nodes, on one network: kubectl apply -f examples/ping-pong/..."
  quietly kubectl apply -f examples/ping-pong/network.yaml -f examples/ping-pong/pods.yaml -f examples/ping-pong/outsider.yaml
  quietly kubectl wait --for=condition=Ready --timeout=$((90 * patience))s pod/ping pod/pong pod/outsider
  say "ping to pong and back, IPv4 and IPv6"
  local from to address databases
  for from in ping pong; do
    to=$([ $from = ping ] && echo pong || echo ping)
    for address in $(kubectl exec "$to" -- sh -c "ip -o addr show dev net1 scope global | awk '{print \$4}' | cut -d/ -f1"); do
      kubectl exec "$from" -- ping -c 3 -i 0.2 "$address" | tail -n +2
    done
  done
  isolation
  say "what there is"
  kubectl get l2net,l2att
  databases=$(kubectl -n l2sm-system get deployment ovn-central -o name --ignore-not-found)
  kubectl -n l2sm-system exec "${databases:-daemonset/ovn-node}" -c nb -- ovn-nbctl show # of fabric Zones, one node's
  say "done; the cluster stays"
  cat <<EOF

Try next:
  bin/lab kubectl exec -it ping -- bash          a shell on the network (net1)
  bin/lab kubectl describe l2net ping-network
  bin/lab nbctl show                             what OVN was told
  bin/lab node n1 ovs-vsctl show                 a node's Open vSwitch, if it is installed here
  export KUBECONFIG=${XDG_CACHE_HOME:-$HOME/.cache}/l2sm/labs/$name/kubeconfig   your own kubectl
  make bench                                     where the time of an attach goes
  make demo-down                                 remove it all
EOF
}

# A capture in the second network, while the first one talks, hears nothing.
isolation() {
  say "isolation: a capture on other-network, same subnet, while ping-network talks"
  local heard
  heard=$(mktemp)
  # shellcheck disable=SC2016 # the pod's shell expands it
  kubectl exec outsider -- sh -c 'timeout -s INT 5 tcpdump -c 1 -eni net1 not ether host $(cat /sys/class/net/net1/address) 2>&1 || true' > "$heard" &
  local capture=$!
  sleep 1
  quietly kubectl exec ping -- ping -c 5 -i 0.3 10.101.2.10
  wait $capture
  cat "$heard"
  grep -q '^0 packets captured' "$heard" || { echo "failed: other-network heard ping-network" >&2; exit 1; }
  rm -f "$heard"
}

test_all() {
  trap 'say "removing the test cluster"; lab down' EXIT
  suite "$OVN_SUITE" ./e2e
  say "a short bench: the logs tell of every stage of an attach"
  bin/bench attach --lab "$name" --serial 2 --rounds 1 --parallel 3 --json /dev/null
  bin/bench hot --lab "$name" --count 2 --json /dev/null
  bin/bench move --lab "$name" --count 2 --json /dev/null
  bin/bench storm --lab "$name" --count 1 --json /dev/null
  say "a short soak: kills while pods come and go, and an audit"
  bin/soak --lab "$name" --operations 200 --kill-every 8s
  say "uninstalling"
  uninstall
  by_chart
  say "installing from a registry, as a new user does"
  bin/release trial --lab "$name" --version trial
  say "again without Multus, and with the oldest OVN that is supported: Debian 12's"
  lab down
  OVN_SUITE=bookworm without_multus -skip TestLinkLocalAddressAtTheFirstInstruction # OVN 23.03 drops what answers it
  say "again with a northbound database on each node"
  lab down
  in_zones -skip 'TestZoneDaemonsKilled|TestZonePodReplaced' # minutes of kills: make test-zones has them; a changed fabric replaces all pods
}

# scenarios FILE: the tests that it names, as go test takes them.
scenarios() { echo "^($(grep '^Test' "$1" | paste -sd '|'))\$"; }

# quick is a fresh cluster and the scenarios of quick.txt.
quick() {
  trap 'say "removing the cluster"; lab down' EXIT
  suite "$OVN_SUITE" ./e2e -run "$(scenarios e2e/quick.txt)"
}

# without_multus ARGS... is a fresh cluster whose runtime tells the agent of pods, and the scenarios of quick-nri.txt.
without_multus() {
  local runtime=${runtime:-containerd-2} no_multus=true overlay=manifests/overlays/nri tags=e2e,nri
  suite "$OVN_SUITE" ./e2e -run "$(scenarios e2e/quick-nri.txt)" "$@"
}

# in_zones ARGS... is a fresh cluster with OVN's databases on each node, and the scenarios of quick-zones.txt.
in_zones() {
  local overlay=manifests/overlays/zones tags=e2e,zones
  suite trixie ./e2e -run "$(scenarios e2e/quick-zones.txt)" "$@" # it needs OVN 23.09, and Debian 12 has 23.03
  say "uninstalling"
  uninstall
}

# in_ovn_kubernetes DO...: a fresh cluster of OVN-Kubernetes with two nodes and l2sm inside it, and what to do there.
in_ovn_kubernetes() {
  local overlay=manifests/overlays/lab-ovn-kubernetes main_cni=ovn-kubernetes nodes=2 tags=e2e,ovnk
  "$@"
}

# test_ovnk also looks that nothing is left in their databases and on the nodes, and that their network works on.
test_ovnk() {
  suite "$OVN_SUITE" ./e2e -run "$(scenarios e2e/quick-ovnk.txt)"
  say "uninstalling"
  KUBECTL=$(bin/lab binaries)/kubectl KUBECONFIG=${XDG_CACHE_HOME:-$HOME/.cache}/l2sm/labs/$name/kubeconfig quietly manifests/uninstall/uninstall.sh
  local node left
  for node in $(kubectl get nodes -o name); do
    # shellcheck disable=SC2016 # the node's shell expands it
    left=$(lab node "${node#node/}" sh -c '
      ip -oneline link | grep -oE "l2p[^:@]*"
      nft list tables | grep l2sm
      ovs-vsctl --columns=name,external_ids list Interface | grep l2sm
      for table in Logical_Switch Logical_Switch_Port DHCP_Options ACL; do ovn-nbctl --db=unix:/run/openvswitch/ovnnb_db.sock list $table | grep l2sm; done
      ls -d /run/l2sm /opt/cni/bin/l2sm /var/lib/l2sm/* 2> /dev/null' || true)
    [ -z "$left" ] || { echo "left on $node: $left" >&2; exit 1; }
  done
  quietly kubectl -n ovn-kubernetes rollout status daemonset/ovnkube-node --timeout=$((60 * patience))s
}

# bench_peers looks at pods without a network before l2sm is there and after it is gone as well.
bench_peers() {
  up
  say "pods without a network, before l2sm is installed"
  bin/bench peers --bare --lab "$name" --json bin/bench-bare.json
  install_l2sm
  bin/bench peers --lab "$name"
  say "uninstalling; pods without a network again"
  KUBECTL=$(bin/lab binaries)/kubectl KUBECONFIG=${XDG_CACHE_HOME:-$HOME/.cache}/l2sm/labs/$name/kubeconfig quietly manifests/uninstall/uninstall.sh
  bin/bench peers --bare --lab "$name" --json bin/bench-bare-after.json --with bin/bench-peers.json --without bin/bench-bare.json
}

# uninstall takes l2sm away, and fails where something of it is left on a node.
uninstall() {
  KUBECTL=$(bin/lab binaries)/kubectl KUBECONFIG=${XDG_CACHE_HOME:-$HOME/.cache}/l2sm/labs/$name/kubeconfig quietly manifests/uninstall/uninstall.sh
  local node left
  for node in $(kubectl get nodes -o name); do
    left=$(lab node "${node#node/}" sh -c '
      ip -oneline link | grep -oE "br-int|br-ext|br-wan|br-edge|l2sm-wg|vxlan_sys|ovs-netdev|l2p[^:@]*"
      nft list tables | grep l2sm
      ls -d /run/openvswitch /run/l2sm /opt/cni/bin/l2sm /var/lib/l2sm/* 2> /dev/null' || true)
    [ -z "$left" ] || { echo "left on $node: $left" >&2; exit 1; }
  done
}

# by_chart installs l2sm by its Helm chart, lets it ping, and takes it away again.
by_chart() {
  local helm from
  say "building helm, once"
  helm=$(go tool -n -modfile=go.tools.mod helm)
  from=$SECONDS
  local -x KUBECONFIG=${XDG_CACHE_HOME:-$HOME/.cache}/l2sm/labs/$name/kubeconfig
  say "helm install, and helm test"
  quietly "$helm" install l2sm charts/l2sm --values charts/testdata/lab.yaml --wait --timeout $((180 * patience))s
  "$helm" test l2sm --timeout $((90 * patience))s
  say "helm install to pings: $((SECONDS - from)) s"
  quietly kubectl -n l2sm-system wait --for=delete pod -l app.kubernetes.io/name=l2sm-test-pong --timeout=$((60 * patience))s
  say "uninstalling, and helm uninstall"
  uninstall
  quietly "$helm" uninstall l2sm --wait
  local kinds left
  # Of nodes' requests for certificates Kubernetes keeps a record for an hour.
  kinds=$(kubectl api-resources --namespaced=false --verbs=list -o name | grep -vE '^(componentstatuses|certificatesigningrequests)' | paste -sd,)
  left=$("$helm" list --all-namespaces --short; kubectl get "$kinds" -o name | grep -E 'l2sm|ovn-' || true)
  [ -z "$left" ] || { echo "left in the API: $left" >&2; exit 1; }
}

# suite SUITE ARGS...: a fresh cluster with OVN of that Debian release, and
# the scenarios.
suite() {
  export OVN_SUITE=$1
  shift
  up
  install_l2sm
  say "running the scenarios"
  L2SM_LAB=$name go test -count=1 -tags "$tags" -timeout 60m -parallel 4 -v "$@"
}

# each_cluster DO...: for both, with the number of nodes that each has: two, so that frames also go from node to
# node, and one.
each_cluster() {
  local usual=manifests/overlays/lab-edge
  local nodes=2 name=$east overlay=${L2SM_EAST_OVERLAY:-$usual}
  "$@"
  nodes=1 name=$west overlay=${L2SM_WEST_OVERLAY:-$usual}
  "$@"
}

# clusters_up is two clusters with l2sm and edges, and a network between their last nodes.
clusters_up() {
  local product=(ovn controller agent edge)
  say "bringing up two clusters, $east and $west; the first time it downloads and builds Kubernetes: 6 to 10 minutes on 2 cores"
  each_cluster up
  say "connecting their edges"
  bin/lab wan up "$east" "$west" --edges 2 # of which the examples use the last
  build_images
  each_cluster install_images
}

clusters_down() {
  bin/lab --name "$west" down
  bin/lab --name "$east" down # and the network between them
}

# clusters_demo does what the example's page says, but for encryption and the end.
clusters_demo() {
  clusters_up
  say "one network in both: examples/two-clusters/README.md"
  awk '/^## Encrypt/ {exit} /^```sh$/ {on = 1; next} /^```$/ {on = 0} on' examples/two-clusters/README.md |
    EAST=$east WEST=$west bash -ex
  say "done; both clusters stay"
  cat <<EOF

Try next:
  bin/lab --name $east kubectl exec -it east -- bash              a shell on the network (net1) in one cluster
  bin/lab --name $west kubectl exec west -- tcpdump -eni net1     what it does, seen from the other
  bin/lab --name $east kubectl describe l2net shared
  bin/lab --name $east kubectl get l2remote                       what $west announces, as $east holds it
  bin/lab --name $east node n2 ovs-ofctl dump-flows br-edge       how frames go there
  ip netns exec $east-wan tcpdump -ni wan udp port 4789           the frames between the clusters
  make clusters-demo-down                                        remove it all
EOF
}

test_clusters() {
  trap 'say "removing the test clusters"; clusters_down' EXIT
  clusters_up
  say "running the scenarios of two clusters"
  EAST=$east WEST=$west go test -count=1 -tags e2e -timeout 20m -run "${L2SM_SCENARIOS:-.}" -v ./e2e/clusters
}

east=$name west=${3:-west}
case $command in
  clusters-demo) clusters_demo ;;
  clusters-up) clusters_up ;;
  test-clusters) test_clusters ;;
  demo) demo ;;
  test-nri) trap 'say "removing the test cluster"; lab down' EXIT; without_multus ;;
  test-zones) trap 'say "removing the test cluster"; lab down' EXIT; in_zones ;;
  test-ovnk) trap 'say "removing the test cluster"; lab down' EXIT; in_ovn_kubernetes test_ovnk ;;
  bench-peers) trap 'say "removing the cluster"; lab down' EXIT; in_ovn_kubernetes bench_peers ;;
  install) install_l2sm ;;
  chart) by_chart ;;
  test) test_all ;;
  quick) quick ;;
  *) echo "usage: $0 demo|install|chart|test|quick|test-nri|test-zones|test-ovnk|bench-peers NAME [NODES], clusters-demo|clusters-up|test-clusters EAST WEST" >&2; exit 2 ;;
esac
