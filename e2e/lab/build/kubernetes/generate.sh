#!/usr/bin/env bash
# Writes the module files of further versions of Kubernetes: MINOR.mod and
# MINOR.sum beside go.mod, which is the version that a cluster has by default.
#
#   generate.sh 1.34.3 1.35.3
#
# Kubernetes keeps the modules that it is split into (its staging folder) beside
# itself, and its go.mod names none of their versions: ours does, one by one.
set -euo pipefail
cd "$(dirname "$0")"
export GOFLAGS=-mod=mod GOWORK=off

for version in "$@"; do
  minor=${version%.*}
  dir=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  upstream=$dir/go.mod
  requirement() { awk -v module="$1" '$1 == module {print module, $2; exit}' "$upstream"; }
  {
    echo "module l2sm.io/l2sm/e2e/lab/build/kubernetes"
    echo
    grep '^go ' "$upstream"
    grep '^godebug ' "$upstream" || true # what its authors run it with
    echo "require ("
    echo "k8s.io/kubernetes v$version"
    echo "k8s.io/component-base v0.${version#*.}"
    echo "k8s.io/kubectl v0.0.0"
    requirement github.com/spf13/cobra
    requirement go.etcd.io/etcd/server/v3
    echo ")"
    echo "replace ("
    sed -n "s,^\t\(k8s.io/[^ ]*\) => ./staging/.*,\1 => \1 v0.${version#*.},p" "$upstream"
    echo ")"
  } > "$minor.mod"
  go mod tidy -modfile="$minor.mod"
done
