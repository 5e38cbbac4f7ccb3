# shellcheck shell=bash
# How br-int's flows live through a restart of ovs-vswitchd. Sourced.
#
# The kernel's datapath goes on with the flows that are in use while ovs-vswitchd
# is away. A starting ovs-vswitchd knows no flow and would flush them, so it is
# told to leave the datapath alone until its own are complete (flow-restore-wait,
# ovs-vswitchd.conf.db(5)). What is not in use yet waits meanwhile.

# The flows of an ovs-vswitchd that was stopped in order, as ovs-save(8) writes
# them, and the ports that they speak of. /run: a reboot makes them void.
saved=/run/openvswitch/br-int.saved

# ports: the numbers and names of br-int's ports.
ports() { ovs-ofctl --timeout=3 show br-int | sed -n 's/^ *\([0-9]*\)(\(.*\)): addr:.*/\1 \2/p' | sort; }

save_flows() {
  rm -rf "$saved"
  mkdir -p "$saved.new"
  if ports >"$saved.new/ports" &&
    TMPDIR=$saved.new timeout 5 /usr/share/openvswitch/scripts/ovs-save save-flows br-int | sed "s,$saved.new/,$saved/,g" >"$saved.new/restore" &&
    [ -s "$saved.new/restore" ]; then
    echo "${EPOCHREALTIME/[.,]/}" >"$saved.new/stopped" # microseconds
    mv "$saved.new" "$saved"
  else
    echo "br-int's flows were not saved: the next ovs-vswitchd waits for ovn-controller's" >&2
    rm -rf "$saved.new"
  fi
}

# hold_flows: before ovs-vswitchd starts. Only the kernel's datapath keeps flows
# without it, and only one that there is.
hold_flows() {
  if [ "$DATAPATH" = system ] && [ -n "$(ovs-dpctl dump-dps)" ]; then
    ovs-vsctl --retry --timeout=30 --no-wait set Open_vSwitch . other_config:flow-restore-wait=true
  else
    ovs-vsctl --retry --timeout=30 --no-wait remove Open_vSwitch . other_config flow-restore-wait
  fi
}

# release_flows: beside the started ovs-vswitchd, and in 10 s at most.
release_flows() {
  if [ -d "$saved" ]; then
    if restore_flows; then
      echo "node $NODE_NAME: the flows are back, $(((${EPOCHREALTIME/[.,]/} - $(<"$saved/stopped")) / 1000)) ms after they were saved" >&2
    else
      echo "node $NODE_NAME: go on without the flows that were saved" >&2
    fi
    rm -rf "$saved"
  elif [ "$(ovs-vsctl --timeout=5 --no-wait --if-exists get Open_vSwitch . other_config:flow-restore-wait)" = '"true"' ]; then
    await_flows
  fi
  ovs-vsctl --retry --timeout=30 --no-wait remove Open_vSwitch . other_config flow-restore-wait
}

# await_ports returns when ovs-vswitchd has made its ports: ovs-vsctl(8) waits for
# it after a change.
await_ports() {
  ovs-vsctl --retry --timeout=8 set Open_vSwitch . external_ids:l2sm-switch-started="$(date +%s.%N)"
}

# restore_flows gives back what was saved, if the ports still have the numbers
# that the flows know them by: else a pod's frames would reach another.
restore_flows() {
  await_ports
  [ -z "$(ports | comm -23 - "$saved/ports")" ] || return 1
  timeout 5 sh -e "$saved/restore"
}

# await_flows returns when ovn-controller has filled br-int: it sends all that it
# has in one bundle, and what the southbound database tells it later in others.
await_flows() {
  local line flows
  await_ports || return 0
  exec {flows}< <(exec timeout 10 ovs-ofctl monitor br-int watch: 2>&1) # which prints there
  while read -r -t 10 -u "$flows" line && [[ $line != *event=ADDED* ]]; do :; done
  while read -r -t 0.3 -u "$flows" line; do :; done
  exec {flows}<&-
}
