#!/usr/bin/env bash
# Makes one target after the other and prints how long each took: all of them at
# the end, also when one fails.
#
#   parts.sh TARGET...
set -uo pipefail
cd "$(dirname "$0")/.." || exit

times=()
tell() { printf '%5ds  %s\n' "${times[@]}" "$SECONDS" "in all"; }
trap tell EXIT

for target in "$@"; do
  began=$SECONDS
  echo "== make $target"
  make --no-print-directory "$target" || { times+=("$((SECONDS - began))" "$target, which failed"); exit 1; }
  times+=("$((SECONDS - began))" "$target")
done
