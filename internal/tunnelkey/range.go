package tunnelkey

import (
	"fmt"
	"strconv"
	"strings"

	"l2sm.io/l2sm/internal/excerpt"
)

// What a key may be (ovn-sb(5): tunnel_key of Datapath_Binding, 24 bits, and of
// Port_Binding, 15 bits; OVN has 0 for none).
const (
	MaxNetwork = 1<<24 - 1
	MaxPort    = 1<<15 - 1
	// FirstOfOVNKubernetes is the lowest key that OVN-Kubernetes gives networks of
	// its own (go-controller/pkg/types, BaseTransitSwitchTunnelKey): all above may
	// be its.
	FirstOfOVNKubernetes = 16711683
)

// DefaultNetworks is the range of networks' keys where nothing else is configured:
// far from those that OVN assigns by itself, from 1 up, and below
// OVN-Kubernetes' own.
const DefaultNetworks = "16000001-16711682"

// Ports is the range of a network's ports.
var Ports = Range{First: 1, Last: MaxPort}

// Range is a range of keys, its ends included.
type Range struct{ First, Last int32 }

// ParseRange reads FIRST-LAST, a range of networks' keys.
func ParseRange(text string) (Range, error) {
	first, last, _ := strings.Cut(text, "-")
	a, errFirst := strconv.ParseInt(strings.TrimSpace(first), 10, 32)
	b, errLast := strconv.ParseInt(strings.TrimSpace(last), 10, 32)
	if errFirst != nil || errLast != nil || a < 1 || b > MaxNetwork || a > b {
		return Range{}, fmt.Errorf("%s is no range of tunnel keys: want FIRST-LAST within 1-%d, such as %s", excerpt.Quote(text), MaxNetwork, DefaultNetworks)
	}
	return Range{int32(a), int32(b)}, nil
}

// Size is how many keys the range has.
func (r Range) Size() int { return int(r.Last-r.First) + 1 }

func (r Range) has(key int32) bool { return r.First <= key && key <= r.Last }

func (r Range) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }
