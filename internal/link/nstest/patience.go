package nstest

import (
	"os"
	"strconv"
	"time"
)

// Patience is how long a test waits for what takes at most that long on an idle machine: as many times that as
// L2SM_TEST_PATIENCE says. In a virtual machine without hardware support all takes some ten times longer.
func Patience(usually time.Duration) time.Duration {
	times, err := strconv.Atoi(os.Getenv("L2SM_TEST_PATIENCE"))
	if err != nil {
		times = 1
	}
	return time.Duration(times) * usually
}
