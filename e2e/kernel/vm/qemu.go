package vm

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// arguments of qemu. Translation only (TCG): a machine in a cloud has no KVM, and what passes here must not depend on it.
func arguments(o Options, k kernel, initramfs, shared string) []string {
	memory := o.Memory
	if memory == "" {
		memory = "4G"
	}
	return []string{
		"-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max", "-smp", "2", "-m", memory, "-machine", "q35",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", k.image(), "-initrd", initramfs, "-append", strings.Join(commandLine(), " "),
		"-serial", "file:" + filepath.Join(shared, consoleFile),
		"-device", "virtio-serial-pci", "-chardev", "stdio,id=out,signal=off", "-device", "virtserialport,chardev=out,name=" + outputPort,
		"-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap", "-device", "virtio-9p-pci,fsdev=root,mount_tag=" + rootTag,
		"-fsdev", "local,id=shared,path=" + shared + ",security_model=none", "-device", "virtio-9p-pci,fsdev=shared,mount_tag=" + sharedTag,
		"-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
	}
}

// commandLine is the kernel's. A guest that is translated gets little processor time on a busy machine: its clock is told
// how fast it ticks instead of measuring that, and nothing watches for stalls.
func commandLine() []string {
	line := []string{
		"console=ttyS0", "quiet", "panic=-1", "mitigations=off", "nokaslr", "tsc=reliable", "clocksource=tsc",
		"nowatchdog", "rcupdate.rcu_cpu_stall_suppress=1", "random.trust_cpu=on", "selinux=0", "apparmor=0", "audit=0", "net.ifnames=0",
	}
	if khz := cpuKHz(); khz != "" {
		line = append(line, "tsc_early_khz="+khz)
	}
	return line
}

var megahertz = regexp.MustCompile(`(?m)^cpu MHz\s*: (\d+)\.(\d{3})$`)

func cpuKHz() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	m := megahertz.FindSubmatch(text)
	if m == nil {
		return ""
	}
	return string(m[1]) + string(m[2])
}
