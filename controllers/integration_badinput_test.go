//go:build integration

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// What can't be attached says why where its user looks: on the attachment and
// as an event on the pod. Nothing of it gets a port or keeps an address.
func TestRefusals(t *testing.T) {
	w := start(t)
	huge := int32(1500)
	w.network("lab", v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{
		Subnets: []string{"10.0.0.0/24"}, Excluded: []string{"10.0.0.200-10.0.0.210"},
	}})
	w.network("tiny", subnets("10.0.1.1/32"))
	w.network("plain", v1alpha1.L2NetworkSpec{})
	w.network("link", v1alpha1.L2NetworkSpec{Type: v1alpha1.VLink})
	w.network("large", v1alpha1.L2NetworkSpec{MTU: &huge})
	foreign := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: w.other, Name: "theirs"}}
	w.create(foreign)
	w.pod("holder", `[{"name":"lab","ips":["10.0.0.9"],"mac":"02:00:00:00:00:09"},{"name":"tiny"},{"name":"link"}]`)
	held := w.attached("holder", 3)
	w.pod("peer", "link")
	w.attached("peer", 1)

	cases := map[string]struct {
		reason, asks, want, says string
	}{
		"NoNetwork":     {"it waits for the network and names it", "nowhere", "NetworkNotFound", `"` + w.namespace + `/nowhere" does not exist`},
		"OtherNetwork":  {"another namespace's network is closed by default", w.other + "/theirs", "NotAllowed", "allowedNamespaces"},
		"AddressTaken":  {"the message names the owner", `[{"name":"lab","ips":["10.0.0.9/24"]}]`, "AddressTaken", held[0].Name},
		"MACTaken":      {"equal MACs break both", `[{"name":"lab","mac":"02:00:00:00:00:09"}]`, "MACTaken", held[0].Name},
		"Outside":       {"an address outside reaches nobody", `[{"name":"lab","ips":["10.9.0.1/24"]}]`, "AddressOutOfRange", "10.0.0.0/24"},
		"Excluded":      {"exclusions hold for requests", `[{"name":"lab","ips":["10.0.0.205"]}]`, "AddressOutOfRange", "excluded"},
		"NetworkItself": {"a subnet's own address is no host's", `[{"name":"lab","ips":["10.0.0.0"]}]`, "AddressOutOfRange", "no host's"},
		"WrongLength":   {"another length cuts the pod off", `[{"name":"lab","ips":["10.0.0.10/16"]}]`, "Invalid", "10.0.0.10/24"},
		"NoLength":      {"without ipam the length is unknown", `[{"name":"plain","ips":["10.0.0.10"]}]`, "Invalid", "prefix length"},
		"Exhausted":     {"a full network says so", "tiny", "AddressesExhausted", "10.0.1.1/32"},
		"ThirdOnLink":   {"a link has two ends, and says which", "link", "LinkFull", held[2].Name},
		"Override":      {"a network decides who may choose", `[{"name":"lab","portSecurity":"Disabled"}]`, "NotAllowed", "allowPortSecurityOverride"},
		"NetworkBad":    {"a network that is not accepted takes nobody", "large", "NotAccepted", "at most 1442"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			inner := *w
			inner.t = t
			pod := inner.pod(notInNames.ReplaceAllString("p-"+lower(name), "-"), tc.asks)
			a := inner.refused(pod.Name, tc.want, tc.says)
			inner.told(pod, tc.want, tc.says)
			NewWithT(t).Expect(a.Spec.MACAddress).To(BeEmpty())
			NewWithT(t).Expect(a.Spec.Addresses).To(BeEmpty())
		})
	}
	NewWithT(t).Expect(w.ports("lab")).To(HaveLen(4), "the holder's three and the peer's one")
}

// An annotation that can't be read is told on the pod, and makes nothing.
func TestMalformedAnnotations(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	cases := map[string]struct{ reason, asks, says string }{
		"JSON":      {"broken JSON", `[{"name": "lab"`, "JSON list"},
		"Object":    {"an object for a list", `{"name": "lab"}`, "brackets"},
		"Field":     {"a misspelled field", `[{"name": "lab", "ipz": []}]`, "ipz"},
		"Name":      {"no name of an object", "Lab_1", "Lab_1"},
		"Comma":     {"an empty entry", "lab,,lab", "empty"},
		"IP":        {"no address", `[{"name": "lab", "ips": ["ten"]}]`, "ten"},
		"MAC":       {"a multicast MAC", `[{"name": "lab", "mac": "01:00:5e:00:00:01"}]`, "unicast"},
		"Interface": {"the cluster's interface", `[{"name": "lab", "interface": "eth0"}]`, "eth0"},
		"Security":  {"an unknown level", `[{"name": "lab", "portSecurity": "Lax"}]`, "Lax"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			inner := *w
			inner.t = t
			pod := inner.pod("p-"+lower(name), tc.asks)
			inner.told(pod, "InvalidNetworks", tc.says)
			NewWithT(t).Expect(inner.attachments(pod.Name)).To(BeEmpty())
		})
	}
}

func TestHostNetworkPodIsTold(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/24"))
	pod := w.podWith("host", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, func(p *corev1.Pod) { p.Spec.HostNetwork = true })
	w.told(pod, "HostNetwork", "hostNetwork")
	w.consistently(func(g Gomega) { g.Expect(w.attachments("host")).To(BeEmpty()) })
}

// A binding that the controller did not write gets no port, whatever it
// claims, and leaves no trace.
func TestForgedBinding(t *testing.T) {
	w := start(t)
	w.network("lab", subnets("10.0.0.0/30"))
	victim := w.pod("victim", "lab")
	real := w.attached("victim", 1)[0]

	forge := func(name string, change func(*v1alpha1.L2AttachmentSpec)) *v1alpha1.L2Attachment {
		a := &v1alpha1.L2Attachment{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
			Spec: v1alpha1.L2AttachmentSpec{
				PodName: "victim", PodUID: victim.UID, NodeName: "node-a", Interface: "net7",
				Network: v1alpha1.NetworkReference{Name: "lab"}, MACAddress: "0a:58:0a:00:00:02", Addresses: []string{"10.0.0.2/30"},
			},
		}
		change(&a.Spec)
		w.create(a)
		return a
	}
	cases := map[string]struct {
		reason, want string
		change       func(*v1alpha1.L2AttachmentSpec)
	}{
		"OtherNode": {"a port on another node than the pod's", "BindingMismatch", func(s *v1alpha1.L2AttachmentSpec) { s.NodeName = "node-b" }},
		"OtherUID":  {"a life that the pod never had", "BindingMismatch", func(s *v1alpha1.L2AttachmentSpec) { s.PodUID = "11111111-2222-3333-4444-555555555555" }},
	}
	for name, tc := range cases {
		a := forge("forged-"+lower(name), tc.change)
		w.eventually(func(g Gomega) {
			g.Expect(w.Get(t.Context(), keyOf(a), a)).To(Succeed())
			g.Expect(a.Status.Conditions).To(HaveLen(1), tc.reason)
			g.Expect(a.Status.Conditions[0].Reason).To(Equal(tc.want), tc.reason)
			g.Expect(a.Status.PortName).To(BeEmpty())
		})
	}
	NewWithT(t).Expect(w.ports("lab")).To(ConsistOf(real.Status.PortName))

	// After a start, all that is recorded counts first; what turns out to be
	// forged gives its address back.
	w.restart()
	w.pod("honest", "lab")
	honest := w.attached("honest", 1)[0]
	NewWithT(t).Expect(honest.Spec.Addresses).To(Equal([]string{"10.0.0.2/30"}))
}
