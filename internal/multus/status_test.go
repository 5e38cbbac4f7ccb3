package multus

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

const mac = "0a:58:0a:65:02:0a"

func TestMergeNetworkStatus(t *testing.T) {
	eth0 := nadv1.NetworkStatus{Name: "cluster", Interface: "eth0", Default: true}
	macvlan := nadv1.NetworkStatus{Name: "default/macvlan", Interface: "net2"}
	multus := nadv1.NetworkStatus{Name: "l2sm-system/l2sm", Interface: "net1", IPs: []string{"10.0.0.1"}}
	lab := nadv1.NetworkStatus{Name: "default/lab", Interface: "net1", IPs: []string{"10.0.0.1"}, Mac: mac, Mtu: 1442}
	more := nadv1.NetworkStatus{Name: "default/more", Interface: "net3", Mac: mac}
	ours := func(s nadv1.NetworkStatus) bool {
		return s.Name == "l2sm-system/l2sm" || s.Name == "default/lab" || s.Name == "default/more"
	}

	cases := map[string]struct {
		reason       string
		stands, want []nadv1.NetworkStatus
		ready        []nadv1.NetworkStatus
	}{
		"Replaced": {
			"Multus' entry gives way to one for each interface, in its place",
			[]nadv1.NetworkStatus{eth0, multus, macvlan}, []nadv1.NetworkStatus{eth0, lab, more, macvlan},
			[]nadv1.NetworkStatus{lab, more},
		},
		"Several": {
			"Multus lists an entry for each interface of one ADD",
			[]nadv1.NetworkStatus{eth0, multus, multus, macvlan}, []nadv1.NetworkStatus{eth0, lab, more, macvlan},
			[]nadv1.NetworkStatus{lab, more},
		},
		"PerNetwork": {
			"an entry of a network's own definition has our name and not our facts",
			[]nadv1.NetworkStatus{eth0, {Name: "default/lab", Interface: "net1"}}, []nadv1.NetworkStatus{eth0, lab},
			[]nadv1.NetworkStatus{lab},
		},
		"NotReady": {
			"what is not wired is not listed",
			[]nadv1.NetworkStatus{eth0, multus}, []nadv1.NetworkStatus{eth0},
			nil,
		},
		"Attached": {
			"what was attached later comes last",
			[]nadv1.NetworkStatus{eth0, macvlan}, []nadv1.NetworkStatus{eth0, macvlan, lab},
			[]nadv1.NetworkStatus{lab},
		},
		"Default": {
			"the cluster's own network is never ours, whatever it is called",
			[]nadv1.NetworkStatus{{Name: "default/lab", Default: true}}, nil,
			nil,
		},
		"Same":    {"no difference is no write", []nadv1.NetworkStatus{eth0, lab}, nil, []nadv1.NetworkStatus{lab}},
		"Nothing": {"a pod that has nothing of ours is left alone", []nadv1.NetworkStatus{eth0, macvlan}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, MergeStatus(tc.stands, tc.ready, ours)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAttachmentStatus(t *testing.T) {
	a := &v1alpha1.L2Attachment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"},
		Spec: v1alpha1.L2AttachmentSpec{
			Network: v1alpha1.NetworkReference{Name: "lab", Namespace: "other"}, Interface: "net1", MACAddress: mac,
			Addresses: []string{"10.0.0.1/24", "fd00::1/64"},
		},
		Status: v1alpha1.L2AttachmentStatus{MTU: 1442},
	}
	if _, ready := StatusEntry(a); ready {
		t.Error("an attachment without condition Ready is listed")
	}
	a.Status.Conditions = []metav1.Condition{v1alpha1.AttachmentReady("net1")}
	got, _ := StatusEntry(a)
	want := nadv1.NetworkStatus{Name: "other/lab", Interface: "net1", IPs: []string{"10.0.0.1", "fd00::1"}, Mac: mac, Mtu: 1442}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an entry names the network, and addresses without lengths: -want +got\n%s", diff)
	}
}

func TestCompareInterfaces(t *testing.T) {
	if CompareInterfaces("net2", "net10") >= 0 || CompareInterfaces("net10", "net2") <= 0 || CompareInterfaces("net1", "net1") != 0 {
		t.Error("net2 comes before net10")
	}
}
