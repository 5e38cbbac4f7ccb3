#!/bin/bash
# Whether this machine can run the cluster, and what to do where it can't. Tests
# give it another HOST_ROOT than /.
set -euo pipefail

root=${HOST_ROOT:-}
failed=0

refuse() {
  echo "kind/up.sh: $*" >&2
  failed=1
}

for program in kind kubectl go make; do
  command -v "$program" > /dev/null || refuse "$program is not installed (kind/README.md says which versions are needed)"
done

# The first with the node image of cluster.yaml.
oldest=v0.32.0
if command -v kind > /dev/null; then
  version=$(kind version -q) version=v${version#v}
  if [ "$(printf '%s\n' "$oldest" "$version" | sort --version-sort | head -n 1)" != "$oldest" ]; then
    refuse "kind $version is older than $oldest, the first whose nodes run Kubernetes 1.36: https://kind.sigs.k8s.io has newer ones"
  fi
fi

# Since Kubernetes 1.35 a kubelet does not start on the former version.
[ -f "$root/sys/fs/cgroup/cgroup.controllers" ] ||
  refuse "this machine has control groups v1: boot it with systemd.unified_cgroup_hierarchy=1"

# Each node runs systemd, containerd, a kubelet and their pods, on the machine's limits.
atleast() {
  local file=$root/proc/sys/fs/inotify/$1 has
  has=$(< "$file")
  ((has >= $2)) || refuse "fs.inotify.$1 is $has, too few for three nodes: sysctl fs.inotify.$1=$2"
}
atleast max_user_instances 512
atleast max_user_watches 65536

exit $failed
