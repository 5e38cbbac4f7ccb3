#!/usr/bin/env bash
# Fetches Debian's FRR for tests and unpacks it, without installing it: a package that
# is installed starts a service. Says where it is.
set -eu

to=${XDG_CACHE_HOME:-$HOME/.cache}/l2sm/frr
packages=(frr libyang2 libc-ares2 libjson-c5 libpcre2-8-0)

if [ ! -e "$to/usr/lib/frr/bgpd" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}") ||
    { echo "download ${packages[*]}: try after apt-get update" >&2; exit 1; }
  mkdir "$work/root"
  for deb in "$work"/*.deb; do dpkg -x "$deb" "$work/root"; done
  mkdir -p "$(dirname "$to")"
  rm -rf "$to"
  mv "$work/root" "$to"
fi
echo "$to"
