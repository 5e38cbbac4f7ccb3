# shellcheck shell=bash
# What check-node.sh looks at on a node with the kernel's datapath. Sourced.

# ours PORT: whether a port of the kernel's datapath is one that an earlier run
# of ovn-node left: they stay when its daemons end, also when its database is
# lost. l2p*: pods' host ends (internal/link).
ours() {
  case $1 in
  ovs-system | br-int | genev_sys_6081 | l2p*) return 0 ;;
  esac
  return 1
}

# A starting ovs-vswitchd deletes the datapaths, and takes away the ports, that
# are not in its database.
check_datapaths() {
  local names name port
  # Asking for the datapath also makes the kernel load its module, which a
  # container may not do by itself.
  names=$(ovs-dpctl dump-dps) || refuse NoKernelModule "the kernel has no module openvswitch." \
    "Install it (modprobe openvswitch must succeed), or set DATAPATH=netdev"
  for name in $names; do
    [ "$name" = system@ovs-system ] || refuse OtherOpenVSwitch "somebody else's datapath $name is in the kernel." \
      "Remove it (ovs-dpctl del-dp $name) or keep l2sm off this node"
  done
  for port in $(ovs-dpctl show | awk '$1 == "port" {print $3}'); do
    ours "$port" || refuse OtherOpenVSwitch "the kernel's datapath ovs-system holds $port, which is not l2sm's: another Open vSwitch uses it." \
      "Stop that one and delete what it left (ovs-dpctl del-dp ovs-system), or keep l2sm off this node"
  done
}

# Without geneve, or with its port taken, the node would run and be cut off from
# all others. Only making a tunnel shows either; where ours is, it works.
check_geneve() {
  local said probe=l2sm-check
  [ ! -d /sys/class/net/genev_sys_6081 ] || return 0
  ip link delete "$probe" 2>/dev/null || true # of an earlier run that was killed
  if ! said=$(ip link add "$probe" type geneve external dstport 6081 2>&1); then
    case $said in
    *busy* | *"not permitted"* | *exists*) refuse TunnelPortTaken "another Geneve device has UDP port 6081: $(geneve_devices)." \
      "Two network plugins can't both tunnel over Geneve's port: give the other one another port, or keep l2sm off this node" ;;
    *) refuse NoKernelModule "the kernel has no module geneve ($said)." \
      "Install it (modprobe geneve must succeed), or set DATAPATH=netdev" ;;
    esac
  fi
  said=$(ip link set "$probe" up 2>&1) || true
  ip link delete "$probe"
  [ -z "$said" ] || refuse TunnelPortTaken "a program has UDP port 6081, Geneve's: $(holders) ($said)." \
    "Stop it, or give it another port; \`ss -lunp sport = :6081\` on the node names it"
}

geneve_devices() {
  ip -oneline link show type geneve | awk -F': ' '{sub("@.*", "", $2); printf "%s%s", sep, $2; sep = ", "}'
}

# holders: who listens on Geneve's port, as far as a container can see.
holders() {
  ss -Hlunp 'sport = :6081' | awk '{printf "%s%s %s", sep, $4, $6; sep = ", "}'
}
