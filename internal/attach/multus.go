package attach

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/excerpt"
)

// multusEntry is an entry of the Multus annotation, with the reason why l2sm
// could not serve it.
type multusEntry struct {
	entry
	err error
}

// multusEntries reads the Multus annotation as Multus does: as JSON if it holds
// any of [, { and ", otherwise as a list with commas. Where an entry's name
// can't be read, the whole annotation is in error; other faults are the entry's
// own.
func multusEntries(text, namespace string) ([]multusEntry, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	read := multusPlain
	if strings.ContainsAny(text, `[{"`) {
		read = multusJSON
	}
	const most = MaxEntries + 1 // one of them may be l2sm-system/l2sm
	list, err := read(text, most)
	for i := range list {
		if list[i].Namespace == "" {
			list[i].Namespace = namespace
		}
	}
	return list, err
}

func multusJSON(text string, most int) ([]multusEntry, error) {
	elements, err := elements(text, most)
	if err != nil {
		return nil, err
	}
	list := make([]multusEntry, len(elements))
	for i, element := range elements {
		var of struct{ Name, Namespace, Interface string }
		if err := json.Unmarshal(element, &of); err != nil {
			return nil, fmt.Errorf("entry %d: %s", i+1, excerpt.Of(err.Error(), maxReason))
		}
		list[i].entry = entry{Name: of.Name, Namespace: of.Namespace, Interface: of.Interface}
		list[i].err = list[i].read(element)
	}
	return list, nil
}

// read takes the addresses and the MAC that an element asks for. It refuses
// fields that we don't serve, as the Network Plumbing Working Group demands
// (multi-net-spec v1.3, section 4.1.2), and unknown ones, which are mostly
// misspelt.
func (e *multusEntry) read(element json.RawMessage) error {
	var all nadv1.NetworkSelectionElement
	if err := json.Unmarshal(element, &all); err != nil {
		return fmt.Errorf("want what Multus reads: %s", excerpt.Of(err.Error(), maxReason))
	}
	e.IPs, e.MAC = all.IPRequest, all.MacRequest
	d := json.NewDecoder(bytes.NewReader(element))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		field, _ := token.(string)
		if err := checkField(field, value); err != nil {
			return err
		}
	}
	return nil
}

// served are the fields that an entry of ours may have. Multus itself serves
// default-route.
var served = []string{"name", "namespace", "ips", "mac", "interface", "default-route"}

// unserved are the others that Multus reads, with what to do instead.
var unserved = []struct{ field, instead string }{
	{"portMappings", "publish the port by a Service, or on the pod's main network"},
	{"bandwidth", "l2sm limits none; leave it out"},
	{"infiniband-guid", "the network is Ethernet; leave it out"},
	{"cni-args", "l2sm takes none; leave it out"},
	{"ipam-claim-reference", "an L2Attachment of your own for the pod's name keeps its addresses"},
}

// checkField says whether we serve a field. One without a value asks for
// nothing.
func checkField(field string, value json.RawMessage) error {
	switch string(value) {
	case "null", "[]", "{}", `""`:
		return nil
	}
	for _, name := range served {
		if strings.EqualFold(field, name) {
			return nil
		}
	}
	for _, u := range unserved {
		if strings.EqualFold(field, u.field) {
			return fmt.Errorf("%s is not supported on an L2Network: %s", u.field, u.instead)
		}
	}
	return fmt.Errorf("field %s is unknown: want %s", excerpt.Quote(field), strings.Join(served, ", "))
}

// plainName is what Multus takes in a list with commas for a namespace, a name
// or an interface.
var plainName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

func multusPlain(text string, most int) ([]multusEntry, error) {
	items, err := items(text, most)
	if err != nil {
		return nil, err
	}
	list := make([]multusEntry, len(items))
	for i, item := range items {
		network, iface, named := strings.Cut(item, "@")
		namespace, name, spaced := strings.Cut(network, "/")
		if !spaced {
			namespace, name = "", network
		}
		e := entry{Name: strings.TrimSpace(name), Namespace: strings.TrimSpace(namespace), Interface: strings.TrimSpace(iface)}
		if strings.ContainsAny(e.Name+e.Interface, "/@") {
			return nil, fmt.Errorf("entry %d: %s has too many slashes or @: %s", i+1, excerpt.Quote(item), forms)
		}
		list[i].entry = e
		plain := plainName.MatchString(e.Name) && (!spaced || plainName.MatchString(e.Namespace)) && (!named || plainName.MatchString(e.Interface))
		if !plain {
			list[i].err = fmt.Errorf("in a list with commas Multus takes lower case letters, digits and dashes only: write JSON, such as [{\"name\": %s}]", excerpt.Quote(e.Name))
		}
	}
	return list, nil
}

// multusRequests are the entries that may be ours.
func multusRequests(list []multusEntry, names multus) []Request {
	var requests []Request
	for i, e := range list {
		if e.isPodNetworks() || len(validation.IsDNS1123Subdomain(e.Name)) > 0 || len(validation.IsDNS1123Label(e.Namespace)) > 0 {
			continue
		}
		r, err := e.request()
		if err == nil {
			err = e.err
		}
		if err == nil {
			err = names.shared(i)
		} else {
			err = fmt.Errorf("entry %d: %w", i+1, err)
		}
		if err != nil {
			r = Request{Err: &SyntaxError{nadv1.NetworkAttachmentAnnot, err}}
		}
		r.Network.Namespace, r.Network.Name = e.Namespace, e.Name
		r.Interface, r.Fixed, r.Placed = names.of(i), e.Interface != "", e.Interface == ""
		requests = append(requests, r)
	}
	return requests
}

func (e entry) isPodNetworks() bool {
	return e.Namespace == v1alpha1.SystemNamespace && e.Name == v1alpha1.PodNetworksNAD
}
