package attach

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/excerpt"
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
	Roles        []v1alpha1.Role       `json:"roles,omitempty"`
}

// entries reads our annotation's value in either of its forms.
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
	switch {
	case text == "":
		return nil, nil
	case strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{"):
		return decodeJSON(text)
	case strings.HasPrefix(text, "- "), strings.HasPrefix(text, "-\n"):
		return nil, errors.New("this reads like a YAML list: " + forms)
	default:
		return decodePlain(text)
	}
}

func decodeJSON(text string) ([]entry, error) {
	elements, err := elements(text, MaxEntries)
	if err != nil {
		return nil, err
	}
	list := make([]entry, len(elements))
	for i, element := range elements {
		d := json.NewDecoder(bytes.NewReader(element))
		d.DisallowUnknownFields()
		if err := d.Decode(&list[i]); err != nil {
			return nil, fmt.Errorf("entry %d: want name, namespace, ips, mac, interface, portSecurity and roles: %s", i+1, excerpt.Of(err.Error(), maxReason))
		}
	}
	return list, nil
}

// decodePlain reads "network, namespace/network, network@interface".
func decodePlain(text string) ([]entry, error) {
	items, err := items(text, MaxEntries)
	if err != nil {
		return nil, err
	}
	list := make([]entry, len(items))
	for i, item := range items {
		network, iface, named := strings.Cut(item, "@")
		if named && iface == "" {
			return nil, fmt.Errorf("entry %d: %s names no interface behind the @", i+1, excerpt.Quote(item))
		}
		namespace, name, spaced := strings.Cut(network, "/")
		if spaced && namespace == "" {
			return nil, fmt.Errorf("entry %d: %s names no namespace before the slash", i+1, excerpt.Quote(item))
		}
		if !spaced {
			namespace, name = "", network
		}
		if strings.ContainsAny(item, " \t\r\n") {
			return nil, fmt.Errorf("entry %d: %s holds white space: %s", i+1, excerpt.Quote(item), forms)
		}
		list[i] = entry{Name: name, Namespace: namespace, Interface: iface}
	}
	return list, nil
}

// request checks an entry and puts it into canonical form.
func (e entry) request() (Request, error) {
	if bad := validation.IsDNS1123Subdomain(e.Name); len(bad) > 0 {
		return Request{}, fmt.Errorf("name %s is no L2Network's name: %s", excerpt.Quote(e.Name), bad[0])
	}
	if bad := validation.IsDNS1123Label(e.Namespace); len(bad) > 0 {
		return Request{}, fmt.Errorf("namespace %s: %s", excerpt.Quote(e.Namespace), bad[0])
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
		return Request{}, fmt.Errorf("portSecurity %s: want Strict, MAC or Disabled", excerpt.Quote(string(e.PortSecurity)))
	}
	roles, err := canonicalRoles(e.Roles)
	if err != nil {
		return Request{}, err
	}
	e.MAC, e.Roles = mac, roles
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
		Roles:        roles,
		Entry:        strings.TrimSpace(canonical.String()),
	}, nil
}

// allRoles are those that there are, in order.
var allRoles = []v1alpha1.Role{v1alpha1.RoleDHCPServer, v1alpha1.RoleRouter}

// canonicalRoles checks roles and puts them in order, each once.
func canonicalRoles(roles []v1alpha1.Role) ([]v1alpha1.Role, error) {
	for _, role := range roles {
		if !slices.Contains(allRoles, role) {
			return nil, fmt.Errorf("roles: %s is none: want Router or DHCPServer", excerpt.Quote(string(role)))
		}
	}
	var canonical []v1alpha1.Role
	for _, role := range allRoles {
		if slices.Contains(roles, role) {
			canonical = append(canonical, role)
		}
	}
	return canonical, nil
}
