// Kernel-init is the first process of the virtual machine that kernel-vm boots.
package main

import "l2sm.io/l2sm/e2e/kernel/vm"

func main() { vm.Guest() }
