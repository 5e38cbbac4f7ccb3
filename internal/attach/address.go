package attach

import (
	"fmt"
	"net/netip"

	"l2sm.io/l2sm/internal/excerpt"
	"l2sm.io/l2sm/internal/ipam"
)

// String is the address as the pod gave it: with a prefix length or without.
func (ip IP) String() string {
	if ip.HasPrefix {
		return ip.Prefix.String()
	}
	return ip.Addr().String()
}

// IPsOf are an L2Attachment's addresses, as something asked for. What the API
// would not have admitted is left out.
func IPsOf(addresses []string) []IP {
	var ips []IP
	for _, text := range addresses {
		if ip, err := parseIP(text); err == nil {
			ips = append(ips, ip)
		}
	}
	return ips
}

func parseIPs(texts []string) ([]IP, error) {
	var ips []IP
	for _, text := range texts {
		ip, err := parseIP(text)
		if err != nil {
			return nil, err
		}
		for _, other := range ips { // one or two: the third is of a family that is there
			if other.Addr().Is4() == ip.Addr().Is4() {
				return nil, fmt.Errorf("ips %s and %s are of one family: an interface has at most one of each", other, ip)
			}
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

func parseIP(text string) (IP, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return IP{Prefix: p, HasPrefix: true}, hostError(text, p)
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return IP{}, fmt.Errorf("ip %s: want a unicast address without a zone, with or without prefix length, such as 10.101.2.10/16", excerpt.Quote(text))
	}
	return IP{Prefix: netip.PrefixFrom(a, a.BitLen())}, hostError(text, netip.PrefixFrom(a, -1))
}

func hostError(text string, p netip.Prefix) error {
	if err := ipam.CheckHost(p); err != nil {
		return fmt.Errorf("ip %s: want a unicast address, such as 10.101.2.10/16: %w", excerpt.Quote(text), err)
	}
	return nil
}

// parseMAC is a MAC address in lower case with colons.
func parseMAC(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	mac, err := ipam.ParseMAC(text)
	if err != nil {
		return "", fmt.Errorf("mac %s: want six bytes of a unicast address, such as 0a:58:0a:65:02:0a", excerpt.Quote(text))
	}
	return mac.String(), nil
}
