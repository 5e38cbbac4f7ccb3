package controllers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/ipam"
)

// The inventory tells of every lease whether it is written yet, and is empty
// where another replica leads: that one knows.
func TestServeInventory(t *testing.T) {
	network := &v1alpha1.L2Network{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "net", UID: "uid-of-net", Generation: 1},
		Spec:       v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/24"}}},
	}
	api := &records{}
	a := NewAllocations(api, api)
	elected := make(chan struct{})
	ask := func() string {
		answer := httptest.NewRecorder()
		serveInventory(a, elected).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, inventory.Path, http.NoBody))
		return answer.Body.String()
	}

	if diff := cmp.Diff(`{"leads":false,"leases":null}`, ask()); diff != "" {
		t.Errorf("before the election (-want +got):\n%s", diff)
	}
	if _, err := a.Grant(context.Background(), network, rival, podKey, "", ipam.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Grant(context.Background(), network, owner, podKey, "", ipam.Request{}); err != nil {
		t.Fatal(err)
	}
	a.Confirm(owner, "uid-of-attachment")
	close(elected)

	want := `{"leads":true,"leases":[` +
		`{"network":"default/net","owner":"default/ping-net1-1","mac":"0a:58:0a:00:00:02","addresses":["10.0.0.2/24"]},` +
		`{"network":"default/net","owner":"default/pong-net1-2","mac":"0a:58:0a:00:00:01","addresses":["10.0.0.1/24"],"pending":true}]}`
	if diff := cmp.Diff(want, ask()); diff != "" {
		t.Errorf("of the leader (-want +got):\n%s", diff)
	}
}
