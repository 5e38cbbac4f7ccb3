#!/usr/bin/env bash
# What make test-upgrade does: installs v0.1.0, built from the commit that the
# changelog names, and runs the scenario that brings it to this checkout's version.
#
#   upgrade.sh NAME [NODES]
#
# RUN: which of its parts, as for go test; all of them by default.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 nodes=${2:-3}
commit=$(sed -n 's/^Commit \([0-9a-f]*\)\.$/\1/p' CHANGELOG.md | tail -n 1)
former=${XDG_CACHE_HOME:-$HOME/.cache}/l2sm/former/$commit
patience=${L2SM_LAB_PATIENCE:-1}

say() { echo "== $*"; }
lab() { bin/lab --name "$name" "$@"; }

if [ ! -d "$former" ]; then
  say "taking v0.1.0 out of the repository: commit $commit"
  mkdir -p "$former.unfinished"
  git archive "$commit" | tar -x -C "$former.unfinished"
  mv "$former.unfinished" "$former"
fi
say "building it, by its own Makefile"
test -x "$former/bin/lab" || make -C "$former" build VERSION=v0.1.0
(cd "$former" && bin/lab images ovn l2sm)

# Its images have a tag of their own, so that both versions' are on the nodes.
mkdir -p "$former/overlay"
cat > "$former/overlay/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../manifests/overlays/lab]
images:
- {name: localhost/l2sm, newTag: v0.1.0}
- {name: localhost/l2sm-ovn, newTag: v0.1.0}
END


lab up --nodes "$nodes"
lab images ovn controller agent
lab load "$former/bin/images/ovn.tar" "$former/bin/images/l2sm.tar"
for node in $(lab kubectl get nodes -o jsonpath='{.items[*].metadata.name}'); do
  for image in l2sm l2sm-ovn; do
    lab node "$node" ctr --namespace k8s.io images tag "localhost/$image:dev" "localhost/$image:v0.1.0"
  done
done
lab load bin/images/ovn.tar bin/images/controller.tar bin/images/agent.tar
say "installing v0.1.0"
lab kubectl apply -k "$former/overlay"
for workload in deploy/ovn-central ds/ovn-node deploy/l2sm-controller ds/l2sm-agent; do
  lab kubectl -n l2sm-system rollout status "$workload" --timeout=$((180 * patience))s
done
L2SM_LAB=$name L2SM_FORMER=$former go test -count=1 -tags 'e2e upgrade' -timeout 40m -v ./e2e -run "${RUN:-^TestUpgrade$}"
