package peers

import (
	"encoding/json"
	"net/netip"
	"strings"
)

// plugin is OVN-Kubernetes' CNI plugin, by which a definition is one of theirs.
const plugin = "ovn-k8s-cni-overlay"

const (
	// maxConfig is how much of a definition is read, in bytes: what OVN-Kubernetes
	// writes has some hundred.
	maxConfig = 64 << 10
	// maxSubnets is how many of its subnets are: OVN-Kubernetes' own networks have
	// two.
	maxSubnets = 8
)

// config is what is read of a definition's: of one plugin, or of a list of one
// (OVN-Kubernetes, pkg/config, ParseNetConf).
type config struct {
	Type    string   `json:"type"`
	Subnets string   `json:"subnets,omitempty"`
	Plugins []config `json:"plugins,omitempty"`
}

// Subnets reads the config of a definition, and says whether it is one of
// OVN-Kubernetes'. What can't be read is nobody's.
func Subnets(text string) (subnets []netip.Prefix, theirs bool) {
	if len(text) > maxConfig {
		return nil, false
	}
	var c config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, false
	}
	if len(c.Plugins) == 1 {
		c = c.Plugins[0]
	}
	if c.Type != plugin {
		return nil, false
	}
	for subnet := range strings.SplitSeq(c.Subnets, ",") {
		if prefix, is := parse(strings.TrimSpace(subnet)); is {
			subnets = append(subnets, prefix)
		}
		if len(subnets) == maxSubnets {
			break
		}
	}
	return subnets, true
}

// parse reads 10.1.0.0/16, and 10.1.0.0/16/24: the part that each node gets does not
// matter here.
func parse(subnet string) (netip.Prefix, bool) {
	if address, rest, is := strings.Cut(subnet, "/"); is {
		bits, _, _ := strings.Cut(rest, "/")
		subnet = address + "/" + bits
	}
	prefix, err := netip.ParsePrefix(subnet)
	return prefix.Masked(), err == nil
}

// Brief is a config of OVN-Kubernetes' that Subnets reads the same of, and that holds
// nothing else.
func Brief(subnets []netip.Prefix) string {
	var all []string
	for _, subnet := range subnets {
		all = append(all, subnet.String())
	}
	text, err := json.Marshal(config{Type: plugin, Subnets: strings.Join(all, ",")})
	if err != nil {
		return "" // strings alone: there is none
	}
	return string(text)
}
