package ovstest

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"l2sm.io/l2sm/internal/ovs/ovnimage"
)

// imageVariable names the file of the product's image of OVN: zones need a newer
// one than Debian 12's, which binds no remote ports (OVN 23.09 is the first).
const imageVariable = "L2SM_TEST_OVN_IMAGE"

// Root is the root of the product's programs, after Unpack. That of the machine's own
// is the empty string.
func Root() string { return zoneRoot }

// zoneRoot is where Unpack puts the image's files: in the memory file system that
// nstest.Main mounts, which ends with the tests.
const zoneRoot = "/run/ovn-image"

// Unpack is a preparation of nstest.Main: it makes the product's OVN ready for
// zones to run.
func Unpack() error {
	file := os.Getenv(imageVariable)
	if file == "" {
		return errors.New(imageVariable + " must name the file of the product's image of OVN: `bin/lab images` makes bin/images/ovn.tar, and `make test-integration` sets it")
	}
	if err := os.Mkdir(zoneRoot, 0o755); err != nil {
		return err
	}
	if err := ovnimage.Unpack(file, zoneRoot); err != nil {
		return err
	}
	for _, dir := range []string{"/run", "/dev", "/proc"} {
		if err := os.MkdirAll(zoneRoot+dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(dir, zoneRoot+dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s in the image's files: %w", dir, err)
		}
	}
	return nil
}
