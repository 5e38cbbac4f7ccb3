#!/usr/bin/env bash
# The quick set on several versions of Kubernetes and container runtimes, one
# cluster after the other. What each gave is kept in bin/matrix, and the table
# of all goes into docs/matrix.md. By hand: a row takes about five minutes, and
# the first with a version of Kubernetes builds it.
#
#   matrix.sh NAME NODES [KUBERNETES:RUNTIME...]     those rows, or all
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 nodes=$2
shift 2
rows=(1.34:containerd 1.35:containerd 1.36:containerd 1.36:containerd-2 1.36:crio 1.37:containerd 1.37:containerd-2)
results=bin/matrix
page=docs/matrix.md
mkdir -p $results

# run leaves what a row gave in bin/matrix: its log, and a line of the table.
run() {
  local version=${1%:*} runtime=${1#*:} log=$results/${1/:/-}.log began=$SECONDS
  L2SM_KUBERNETES=$version L2SM_RUNTIME=$runtime timeout 20m e2e/steps.sh quick "$name" "$nodes" > "$log" 2>&1 || true
  local passed failed listed took=$((SECONDS - began))
  passed=$(grep -c '^--- PASS' "$log" || true)
  failed=$(grep -c '^--- FAIL' "$log" || true)
  listed=$(grep -c '^Test' e2e/quick.txt)
  printf '| %s | %s | %d | %d | %d | %d:%02d | %s | %s |\n' "$version" "$runtime" \
    "$passed" "$failed" $((listed - passed - failed)) $((took / 60)) $((took % 60)) "$(date +%F)" \
    "$(sed -n 's/^--- FAIL: \([^ ]*\).*/\1/p' "$log" | paste -sd ' ')" | tee "$results/${1/:/-}.row"
}

table() {
  echo '| Kubernetes | container runtime | passed | failed | not reached | minutes | date | which failed |'
  echo '|---|---|---|---|---|---|---|---|'
  local row
  for row in "${rows[@]}"; do
    cat "$results/${row/:/-}.row" 2> /dev/null || echo "| ${row%:*} | ${row#*:} | | | | | | not run |"
  done
}

[ $# -gt 0 ] || set -- "${rows[@]}"
for row in "$@"; do
  run "$row"
done
written=$(mktemp)
awk -v table="$(table)" '
  /^<!-- matrix -->$/ {print; print table; inside = 1; next}
  /^<!-- end -->$/ {inside = 0}
  !inside' $page > "$written"
cat "$written" > $page
rm "$written"
table
