# shellcheck shell=bash
# What the node's scripts know of the underlay: where tunnels leave. Sourced.

# address DEVICE: its first address of UNDERLAY_FAMILY; nothing if it has none.
address() {
  ip -oneline -family "$(family)" address show dev "$1" scope global 2>/dev/null |
    awk '{sub("/.*", "", $4); print $4; exit}'
}

# family: UNDERLAY_FAMILY as ip(8) calls it.
family() {
  case $UNDERLAY_FAMILY in
  IPv4) echo inet ;;
  IPv6) echo inet6 ;;
  *) return 1 ;;
  esac
}

# internal_ip: the node's InternalIP of UNDERLAY_FAMILY, of the list NODE_IPS;
# nothing if it has none.
internal_ip() {
  local ip
  for ip in ${NODE_IPS//,/ }; do
    case $UNDERLAY_FAMILY:$ip in
    IPv6:*:*) echo "$ip" && return ;;
    IPv4:*:*) ;;
    IPv4:*) echo "$ip" && return ;;
    esac
  done
}

# tunnel_ip: the address that other nodes send to; nothing if there is none.
tunnel_ip() {
  if [ -z "$TUNNEL_INTERFACE" ]; then
    internal_ip
    return
  fi
  # In this order: br-ext.sh may be moving the address just now, and puts it on
  # the bridge before it takes it off the interface.
  local ip
  ip=$(address "$TUNNEL_INTERFACE" || true)
  echo "${ip:-$(address br-ext || true)}"
}
