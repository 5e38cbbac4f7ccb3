package controllers

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/inventory"
)

// The inventory tells of every lease whether it is written yet, and is empty
// where another replica leads: that one knows.
func TestServeInventory(t *testing.T) {
	network := &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net", UID: "uid-of-net", Generation: 1},
		Spec:       v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}}},
	}
	quiet := func(...types.NamespacedName) {}
	ledger := admission.NewLedger(admission.Cluster{MaxMTU: 1442}, admission.Wake{Attachments: quiet, Networks: quiet, Members: quiet})
	ledger.Judge(network)
	ledger.Open(types.NamespacedName{Namespace: "default", Name: "net"})
	owner := types.NamespacedName{Namespace: "default", Name: "ping-net1-1"}
	take := func(name string) {
		t.Helper()
		attachment := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		if _, err := ledger.Take(admission.Ask{Network: network, Attachment: attachment}); err != nil {
			t.Fatal(err)
		}
	}
	elected := make(chan struct{})
	ask := func() string {
		answer := httptest.NewRecorder()
		serveInventory(ledger, elected).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, inventory.Path, http.NoBody))
		return answer.Body.String()
	}

	if diff := cmp.Diff(`{"leads":false,"leases":null}`, ask()); diff != "" {
		t.Errorf("before the election (-want +got):\n%s", diff)
	}
	take("pong-net1-2")
	take(owner.Name)
	ledger.Confirm(owner, "uid-of-attachment")
	close(elected)

	want := `{"leads":true,"leases":[` +
		`{"network":"default/net","owner":"default/ping-net1-1","mac":"0a:58:0a:00:00:02","addresses":["10.0.0.2/24"]},` +
		`{"network":"default/net","owner":"default/pong-net1-2","mac":"0a:58:0a:00:00:01","addresses":["10.0.0.1/24"],"pending":true}]}`
	if diff := cmp.Diff(want, ask()); diff != "" {
		t.Errorf("of the leader (-want +got):\n%s", diff)
	}
}
