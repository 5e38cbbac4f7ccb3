package link

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	cases := map[string]struct {
		reason, name string
		ok           bool
	}{
		"Usual":      {"what the controller assigns", "net1", true},
		"Longest":    {"IFNAMSIZ less its zero", "fifteen-charact", true},
		"Dash":       {"the kernel takes it", "-x", true},
		"TooLong":    {"one byte more", "sixteen-characte", false},
		"Bytes":      {"the kernel counts bytes, not characters", "éééééééé", false},
		"Empty":      {"it is no name", "", false},
		"Dot":        {"it is a folder's", ".", false},
		"Dots":       {"it is a folder's", "..", false},
		"All":        {"sysctl's folder of all interfaces", "all", false},
		"Default":    {"sysctl's folder of those to come", "default", false},
		"Percent":    {"the kernel makes x0 of it", "x%d", false},
		"Slash":      {"it would be another folder in sysctl", "../x", false},
		"Colon":      {"it was an alias once", "net1:0", false},
		"Space":      {"it parts words", "net 1", false},
		"Vertical":   {"every kind of space", "net\v1", false},
		"EndlessToo": {"a message is bounded", strings.Repeat("x", 1<<16), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := CheckName(tc.name)
			if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrName) {
				t.Errorf("%s: CheckName(%.20q) = %v, want ok %v", tc.reason, tc.name, err, tc.ok)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}
