#!/usr/bin/env bash
# Installs the Debian packages that building, the local cluster and the tests
# need, those that are missing only. Services that come with them stay stopped:
# the local cluster and the tests start daemons of their own.
#
#   deps.sh [PACKAGE...]      and these: not every target needs them
set -eu

packages=(
  # the local cluster
  containerd runc iptables nftables conntrack ipset socat ethtool procps iproute2 kmod
  # images without Docker
  mmdebstrap debian-archive-keyring
  # tests against real OVSDB, OVS and OVN
  openvswitch-switch ovn-central ovn-host
  # the virtual machine with the kernel's datapath
  qemu-system-x86 xz-utils
  # what tests look with
  iputils-ping tcpdump strace shellcheck
)

missing=()
for p in "${packages[@]}" "$@"; do
  dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "installing with apt: ${missing[*]}"
[ "$(id -u)" = 0 ] || { echo "run as root, or install these first: ${missing[*]}" >&2; exit 1; }
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod +x $policy
  trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" > /dev/null
