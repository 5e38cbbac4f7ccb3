package attach

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// made is a user's attachment for pod ping; born one of the pod's annotation.
func made(name, network, iface string) v1alpha1.L2Attachment {
	return v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1alpha1.L2AttachmentSpec{PodName: "ping", Network: v1alpha1.NetworkReference{Name: network}, Interface: iface},
	}
}

func remembering(a v1alpha1.L2Attachment, entry string) v1alpha1.L2Attachment {
	a.Annotations = map[string]string{v1alpha1.EntryAnnotation: entry}
	return a
}

func born(name, network, iface, entry string) v1alpha1.L2Attachment {
	yes := true
	a := remembering(made(name, network, iface), entry)
	a.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "ping", UID: "uid-1", Controller: &yes}}
	return a
}

const (
	entryA = `{"name":"a","namespace":"default"}`
	entryB = `{"name":"b","namespace":"default"}`
)

func TestMatch(t *testing.T) {
	predecessor := born("old", "a", "net1", entryA)
	predecessor.OwnerReferences[0].UID = "uid-0"
	otherPod := made("other", "a", "")
	otherPod.Spec.PodName = "pong"
	going := made("going", "a", "")
	going.DeletionTimestamp = &metav1.Time{}
	going.DeletionTimestamp.Time = metav1.Now().Time

	cases := map[string]struct {
		reason      string
		asks        string
		attachments []v1alpha1.L2Attachment
		serving     []string
		surplus     []string
	}{
		"Nothing":     {"What is not there is to be made.", "a, b", nil, []string{"", ""}, nil},
		"Made":        {"Each request has its own.", "a, b", []v1alpha1.L2Attachment{born("x", "a", "net1", entryA), born("y", "b", "net2", entryB)}, []string{"x", "y"}, nil},
		"Twice":       {"Two interfaces on one network are two attachments.", "a, a", []v1alpha1.L2Attachment{born("x", "a", "net2", entryA)}, []string{"", "x"}, nil},
		"EntryWent":   {"An entry that goes leaves the others where they are, also in name.", "b", []v1alpha1.L2Attachment{born("x", "a", "net1", entryA), born("y", "b", "net2", entryB)}, []string{"y"}, []string{"x"}},
		"Moved":       {"A move is not undone by the annotation.", "a", []v1alpha1.L2Attachment{born("x", "quarantine", "net1", entryA)}, []string{"x"}, nil},
		"Renamed":     {"An interface that is asked for by name is another one.", "a@data0", []v1alpha1.L2Attachment{born("x", "a", "net1", entryA)}, []string{""}, []string{"x"}},
		"Edited":      {"An edited entry is another request.", `[{"name":"a","ips":["10.0.0.1"]}]`, []v1alpha1.L2Attachment{born("x", "a", "net1", entryA)}, []string{""}, []string{"x"}},
		"Predecessor": {"What another life of the pod asked for serves none, and is its own to remove.", "a", []v1alpha1.L2Attachment{predecessor}, []string{""}, nil},

		"Adopted":          {"A user's attachment for the same network is not doubled.", "a", []v1alpha1.L2Attachment{made("mine", "a", "")}, []string{"mine"}, nil},
		"AdoptedByName":    {"The one whose interface fits comes first.", "a@data0", []v1alpha1.L2Attachment{made("any", "a", ""), made("mine", "a", "data0")}, []string{"mine"}, nil},
		"AdoptedElsewhere": {"Where the pod leaves the name open, the attachment's is taken.", "a", []v1alpha1.L2Attachment{made("mine", "a", "data0")}, []string{"mine"}, nil},
		"OtherInterface":   {"Where the pod asks for a name, another name does not serve.", "a@net5", []v1alpha1.L2Attachment{made("mine", "a", "data0")}, []string{""}, nil},
		"NameOfAnother":    {"An attachment whose interface another request has serves none.", "a, b", []v1alpha1.L2Attachment{made("mine", "a", "net2")}, []string{"", ""}, nil},
		"OtherNetwork":     {"A user's attachment to another network is one interface more.", "a", []v1alpha1.L2Attachment{made("mine", "b", "")}, []string{""}, nil},
		"AdoptedMoved":     {"Once adopted it keeps serving its entry, as one born of it.", "a", []v1alpha1.L2Attachment{remembering(made("mine", "quarantine", "net1"), entryA)}, []string{"mine"}, nil},
		"AdoptedAnew":      {"An entry that no pod has any more does not bind it.", "a", []v1alpha1.L2Attachment{remembering(made("mine", "a", "net1"), entryB)}, []string{"mine"}, nil},
		"AdoptedFirst":     {"What the annotation made comes before what could be adopted.", "a", []v1alpha1.L2Attachment{made("mine", "a", ""), born("x", "a", "net1", entryA)}, []string{"x"}, nil},
		"Order":            {"Controller and agent choose the same.", "a", []v1alpha1.L2Attachment{made("second", "a", ""), made("first", "a", "")}, []string{"first"}, nil},
		"OtherPod":         {"An attachment names its pod.", "a", []v1alpha1.L2Attachment{otherPod}, []string{""}, nil},
		"Going":            {"What is being deleted serves no more.", "a", []v1alpha1.L2Attachment{going}, []string{""}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := pod(map[string]string{own: c.asks})
			p.UID = "uid-1"
			m := Match(p, parse(t, p), c.attachments)
			if diff := cmp.Diff(c.serving, names(m.Serving)); diff != "" {
				t.Errorf("%s\nserving (-want +got):\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(c.surplus, names(m.Surplus)); diff != "" {
				t.Errorf("%s\nsurplus (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

// Multus chooses the interfaces of its entries: an attachment with another
// interface serves none of them.
func TestMatchMultus(t *testing.T) {
	p := pod(map[string]string{multusKey: "a"})
	p.UID = "uid-1"
	requests, err := Parse(p)
	if err != nil {
		t.Fatal(err)
	}
	for iface, want := range map[string]string{"net1": "mine", "": "mine", "data0": ""} {
		m := Match(p, requests.Multus, []v1alpha1.L2Attachment{made("mine", "a", iface)})
		if got := names(m.Serving)[0]; got != want {
			t.Errorf("interface %q: want %q to serve net1, got %q", iface, want, got)
		}
	}
}

func TestFreeInterface(t *testing.T) {
	taken := func(name string) bool { return name == "net1" || name == "net2" || name == "data0" }
	cases := map[string]struct {
		request Request
		want    string
		ok      bool
	}{
		"Free":       {Request{Interface: "net5"}, "net5", true},
		"Next":       {Request{Interface: "net2"}, "net3", true},
		"FixedTaken": {Request{Interface: "data0", Fixed: true}, "", false},
		"FixedFree":  {Request{Interface: "data1", Fixed: true}, "data1", true},
	}
	for name, c := range cases {
		if got, ok := FreeInterface(c.request, taken); got != c.want || ok != c.ok {
			t.Errorf("%s: want %q, %t, got %q, %t", name, c.want, c.ok, got, ok)
		}
	}
}

func parse(t *testing.T, p *corev1.Pod) []Request {
	t.Helper()
	requests, err := Parse(p)
	if err != nil {
		t.Fatal(err)
	}
	return requests.Own
}

func names(attachments []*v1alpha1.L2Attachment) []string {
	var all []string
	for _, a := range attachments {
		if a == nil {
			all = append(all, "")
			continue
		}
		all = append(all, a.Name)
	}
	return all
}
