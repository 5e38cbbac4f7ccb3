package attach

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// entry is one entry of our annotation, in the names of the Network Plumbing
// Working Group's selection element (v1.3, section 4.1.2).
type entry struct {
	Name         string                `json:"name"`
	Namespace    string                `json:"namespace,omitempty"`
	IPs          []string              `json:"ips,omitempty"`
	MAC          string                `json:"mac,omitempty"`
	Interface    string                `json:"interface,omitempty"`
	PortSecurity v1alpha1.PortSecurity `json:"portSecurity,omitempty"`
}

// entries reads an annotation's value in either of its forms.
func entries(text, namespace string) ([]Request, error) {
	list, err := decode(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	requests := make([]Request, 0, len(list))
	for i, e := range list {
		if e.Namespace == "" {
			e.Namespace = namespace
		}
		r, err := e.request()
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		requests = append(requests, r)
	}
	return requests, nil
}

func decode(text string) ([]entry, error) {
	if text == "" {
		return nil, nil
	}
	if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
		return decodeJSON(text)
	}
	return decodePlain(text)
}

func decodeJSON(text string) ([]entry, error) {
	if strings.HasPrefix(text, "{") {
		return nil, errors.New(`want a JSON list; put the object into brackets: [{"name": ...}]`)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var list []entry
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf(`not a JSON list of {"name", "namespace", "ips", "mac", "interface", "portSecurity"}: %w`, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the JSON list")
	}
	return list, nil
}

// decodePlain reads "network, namespace/network, network@interface".
func decodePlain(text string) ([]entry, error) {
	var list []entry
	for i, item := range strings.Split(text, ",") {
		e := entry{Name: strings.TrimSpace(item)}
		if e.Name == "" {
			return nil, fmt.Errorf("entry %d is empty: want names separated by single commas", i+1)
		}
		if before, after, ok := strings.Cut(e.Name, "@"); ok {
			if after == "" {
				return nil, fmt.Errorf("entry %d: %q names no interface behind the @", i+1, item)
			}
			e.Name, e.Interface = before, after
		}
		if before, after, ok := strings.Cut(e.Name, "/"); ok {
			if before == "" {
				return nil, fmt.Errorf("entry %d: %q names no namespace before the slash", i+1, item)
			}
			e.Namespace, e.Name = before, after
		}
		list = append(list, e)
	}
	return list, nil
}

// request checks an entry and puts it into canonical form.
func (e entry) request() (Request, error) {
	if bad := validation.IsDNS1123Subdomain(e.Name); len(bad) > 0 {
		return Request{}, fmt.Errorf("name %q is no L2Network's name: %s", e.Name, bad[0])
	}
	if bad := validation.IsDNS1123Label(e.Namespace); len(bad) > 0 {
		return Request{}, fmt.Errorf("namespace %q: %s", e.Namespace, bad[0])
	}
	if e.Interface != "" {
		if err := checkInterface(e.Interface); err != nil {
			return Request{}, err
		}
	}
	ips, err := parseIPs(e.IPs)
	if err != nil {
		return Request{}, err
	}
	mac, err := parseMAC(e.MAC)
	if err != nil {
		return Request{}, err
	}
	switch e.PortSecurity {
	case "", v1alpha1.PortSecurityStrict, v1alpha1.PortSecurityMAC, v1alpha1.PortSecurityDisabled:
	default:
		return Request{}, fmt.Errorf("portSecurity %q: want Strict, MAC or Disabled", e.PortSecurity)
	}
	e.MAC = mac
	e.IPs = nil
	for _, ip := range ips {
		e.IPs = append(e.IPs, ip.String())
	}
	var canonical bytes.Buffer
	if err := json.NewEncoder(&canonical).Encode(e); err != nil {
		return Request{}, err
	}
	return Request{
		Network:      types.NamespacedName{Namespace: e.Namespace, Name: e.Name},
		Interface:    e.Interface,
		Fixed:        e.Interface != "",
		IPs:          ips,
		MAC:          mac,
		PortSecurity: e.PortSecurity,
		Entry:        strings.TrimSpace(canonical.String()),
	}, nil
}

// fromMultus reads what an entry of the Multus annotation asks of us.
func fromMultus(e *nadv1.NetworkSelectionElement) (Request, error) {
	return entry{Name: e.Name, Namespace: e.Namespace, IPs: e.IPRequest, MAC: e.MacRequest, Interface: e.InterfaceRequest}.request()
}

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
		for _, other := range ips {
			if other.Addr().Is4() == ip.Addr().Is4() {
				return nil, fmt.Errorf("ips %s and %s are of one family: an interface has at most one of each", other, ip)
			}
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

func parseIP(text string) (IP, error) {
	if p, err := netip.ParsePrefix(text); err == nil && usable(p.Addr()) {
		return IP{Prefix: p, HasPrefix: true}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil && usable(a) {
		return IP{Prefix: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	return IP{}, fmt.Errorf("ip %q: want a unicast address, with or without prefix length, such as 10.101.2.10/16", text)
}

func usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a.Zone() == "" && !a.Is4In6()
}

func parseMAC(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 || mac[0]&1 == 1 || bytes.Equal(mac, make([]byte, 6)) {
		return "", fmt.Errorf("mac %q: want six bytes of a unicast address, such as 0a:58:0a:65:02:0a", text)
	}
	return mac.String(), nil
}
