package agent

import (
	"net/netip"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

func TestCompareInterface(t *testing.T) {
	w, err := newWire(sandbox("c1", "net1"), attachment())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		change func(*link.Interface)
		says   string // empty: all is well
	}{
		"Same":    {"what ADD made", func(*link.Interface) {}, ""},
		"More":    {"a pod may add addresses", func(i *link.Interface) { i.Addresses = append(i.Addresses, netip.MustParsePrefix("10.9.9.9/32")) }, ""},
		"MAC":     {"a foreign MAC address is not let through", func(i *link.Interface) { i.MAC = []byte{2, 0, 0, 0, 0, 1} }, "02:00:00:00:00:01"},
		"MTU":     {"large frames would be lost", func(i *link.Interface) { i.MTU = 9000 }, "9000"},
		"Address": {"the pod lost an address", func(i *link.Interface) { i.Addresses = i.Addresses[:1] }, "fd10:101::10/64"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			is := w.inner
			is.Addresses = append([]netip.Prefix(nil), w.inner.Addresses...)
			tc.change(&is)
			says(t, tc.reason, compareInterface(w.inner, is), tc.says)
		})
	}
}

func TestComparePort(t *testing.T) {
	w, err := newWire(sandbox("c1", "net1"), attachment())
	if err != nil {
		t.Fatal(err)
	}
	good := w.port
	good.State.Installed = true
	changed := func(change func(*ovs.Port)) []ovs.Port {
		p := good
		change(&p)
		return []ovs.Port{{Name: "other"}, p}
	}
	cases := map[string]struct {
		reason string
		ports  []ovs.Port
		says   string
	}{
		"Same":         {"what ADD made", changed(func(*ovs.Port) {}), ""},
		"Gone":         {"a user removed the port", nil, "has no port"},
		"NotInstalled": {"ovn-controller lost it", changed(func(p *ovs.Port) { p.State.Installed = false }), "not installed"},
		"Refused":      {"the device is gone", changed(func(p *ovs.Port) { p.State.Error = "No such device" }), "No such device"},
		"Hot":          {"it was plugged in by the watch", changed(func(p *ovs.Port) { p.Sandbox.IfName, p.Sandbox.Config = "net1", link.HotConfig }), ""},
		"Settled":      {"the watch's notes are not the attachment's", changed(func(p *ovs.Port) { p.Noted = ovs.Noted{Network: "default/b", InstalledAt: 7, MTU: 1} }), ""},
		"Other":        {"a user pointed it elsewhere", changed(func(p *ovs.Port) { p.LogicalPort = "l2sm/x/y" }), "l2sm/x/y"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { says(t, tc.reason, comparePort(w.port, portNamed(tc.ports, w.port.Name)), tc.says) })
	}
}

func TestCompareBinding(t *testing.T) {
	w, err := newWire(sandbox("c1", "net1"), attachment())
	if err != nil {
		t.Fatal(err)
	}
	named := func(port string) func(*v1alpha1.L2Attachment) {
		return func(a *v1alpha1.L2Attachment) { a.Status.PortName = port }
	}
	full := v1alpha1.LinkFull(types.NamespacedName{Namespace: "default", Name: "ping-network"}, nil)
	cases := map[string]struct {
		reason     string
		attachment *v1alpha1.L2Attachment
		says       string
	}{
		"Bound":       {"the names are the same", attachment(on("ping-network"), named(w.port.LogicalPort)), ""},
		"RefusedMove": {"the port stays where it is", attachment(on("ping-network"), named(w.port.LogicalPort), asking("b"), saying(full)), ""},
		"Refused":     {"the controller has taken the port away", attachment(named(w.port.LogicalPort), saying(full)), "two endpoints"},
		"Unwritten":   {"the controller has made none", attachment(), "says \"\""},
		"Other":       {"the interface is another port", attachment(on("ping-network"), named("l2sm/x/y")), "l2sm/x/y"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { says(t, tc.reason, compareBinding(tc.attachment, w.port), tc.says) })
	}
}

// says fails unless err is nil for an empty text, and says the text otherwise.
func says(t *testing.T, reason string, err error, text string) {
	t.Helper()
	if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got error %v, want one that says %q", reason, err, text)
	}
}
