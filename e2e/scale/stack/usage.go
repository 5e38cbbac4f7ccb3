package stack

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is the CPU time that each process has used since it was started, by its name.
type Usage struct {
	At  time.Time
	CPU map[string]time.Duration
}

// Since is what was used between two looks.
func (u Usage) Since(before Usage) Usage {
	d := Usage{At: u.At, CPU: map[string]time.Duration{}}
	for name, used := range u.CPU {
		d.CPU[name] = used - before.CPU[name]
	}
	return d
}

// Usage looks at every process. Machine is what the whole machine was busy.
func (s *Stack) Usage() Usage {
	u := Usage{At: time.Now(), CPU: map[string]time.Duration{Machine: machineCPU(), Self: CPU(os.Getpid())}}
	for name, pid := range s.PIDs() {
		u.CPU[name] = CPU(pid)
	}
	return u
}

// Names in Usage.
const (
	Machine    = "machine"
	Self       = "load program"
	APIServer  = "kube-apiserver"
	Etcd       = "etcd"
	Collector  = "garbage collector"
	NB         = "northbound"
	SB         = "southbound"
	Northd     = "northd"
	Controlled = "controller"
)

// PIDs are the processes, by their names in Usage.
func (s *Stack) PIDs() map[string]int {
	pids := map[string]int{}
	if s.OVN != nil {
		pids = s.OVN.PIDs()
	}
	if s.Plane != nil {
		pids[APIServer], pids[Etcd], pids[Collector] = s.apiserver, s.etcd, s.collector.pid()
	}
	if s.Controller != nil {
		pids[Controlled] = s.Controller.process.pid()
	}
	return pids
}

// CPU is the time that all threads of a process used, in nanoseconds: its CPU clock of clock_getcpuclockid(3), finer than
// the hundredths of a second of /proc/PID/stat. 0 for one that is gone.
func CPU(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	const perProcessClock = 2 // CPUCLOCK_SCHED of the kernel's posix-timers
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|perProcessClock), &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// machineCPU is how long the machine's processors were busy, with anything, since it was started.
func machineCPU() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks int64
	for i, field := range strings.Fields(line)[1:] {
		if i == 3 || i == 4 || i > 7 { // idle, waiting for a disk; guests are in the user's time
			continue
		}
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Memory is a process' resident set and the largest it was, in MiB.
func Memory(pid int) (resident, peak float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "VmRSS:":
			resident = kib / 1024
		case "VmHWM:":
			peak = kib / 1024
		}
	}
	return resident, peak, nil
}

// Proportional is a process' proportional set size, in MiB: pages that it shares with others count in part.
func Proportional(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("find Pss in smaps_rollup of process %d: %w", pid, os.ErrNotExist)
}
