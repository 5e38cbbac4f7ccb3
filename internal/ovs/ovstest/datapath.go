package ovstest

import (
	"fmt"
	"os"
	"sync"

	"l2sm.io/l2sm/internal/link"
)

// The datapaths, as a bridge's datapath_type.
const (
	Kernel    = "system"
	Userspace = "netdev"
)

// variable names the datapath that tests run on. The kernel's needs its module openvswitch: `make test-kernel` runs the
// tests in a virtual machine that has it.
const variable = "L2SM_TEST_DATAPATH"

// Datapath is the one that the integration bridge has.
func Datapath() string {
	if d := os.Getenv(variable); d != "" {
		return d
	}
	return Userspace
}

// HostEnds is the datapath as host ends are made for it.
func HostEnds() link.Datapath {
	if Datapath() == Kernel {
		return link.Kernel
	}
	return link.Userspace
}

// tellDatapath prints it once: a result is worth nothing to readers who don't know.
var tellDatapath = sync.OnceFunc(func() { fmt.Printf("ovstest: datapath_type %s\n", Datapath()) })

// vswitchdArgs keeps a userspace datapath from looking for the kernel's, which belongs to whatever runs on this machine.
func vswitchdArgs() []string {
	if Datapath() == Kernel {
		return nil
	}
	return []string{"--disable-system"}
}
