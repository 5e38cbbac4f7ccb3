// Package patience is how much longer than usual everything may take, in one place: in a virtual machine without hardware
// support, as make kernel-demo's, all takes some twenty times longer.
package patience

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// variable is the factor, a whole number.
const variable = "L2SM_LAB_PATIENCE"

// Of is how long to wait for what takes at most that long on an idle machine.
func Of(usually time.Duration) time.Duration {
	times, err := strconv.Atoi(os.Getenv(variable))
	if err != nil || times < 1 {
		times = 1
	}
	return time.Duration(times) * usually
}

// Timeout is Of, as kubectl takes it.
func Timeout(usually time.Duration) string { return fmt.Sprintf("--timeout=%s", Of(usually)) }
