//go:build integration

package evpn

import (
	"testing"

	"l2sm.io/l2sm/internal/link/nstest"
)

// BGP's port, VXLAN devices and addresses are the test's own.
func TestMain(m *testing.M) { nstest.Main(m) }
