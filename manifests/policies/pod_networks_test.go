//go:build integration

package policies_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

const multus = "k8s.v1.cni.cncf.io/networks"

func pod(annotations map[string]string, hostNetwork bool) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod", Namespace: "default", Annotations: annotations},
		Spec: corev1.PodSpec{
			HostNetwork: hostNetwork,
			Containers:  []corev1.Container{{Name: "container", Image: "image"}},
		},
	}
}

// admit returns what the API server makes of the pod's Multus annotation. It
// keeps nothing.
func admit(ctx context.Context, p *corev1.Pod) (string, error) {
	err := admin.Create(ctx, p, client.DryRunAll)
	return p.Annotations[multus], err
}

func TestPodNetworks(t *testing.T) {
	const plain, json = "l2sm-system/l2sm", `{"name":"l2sm","namespace":"l2sm-system"}`
	asks := func(list string) map[string]string {
		return map[string]string{v1alpha1.NetworksAnnotation: "lab", multus: list}
	}
	cases := map[string]struct {
		reason      string
		annotations map[string]string
		hostNetwork bool
		want        string
	}{
		"Alone":         {"The pod has nothing for Multus.", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, false, plain},
		"L2SM":          {"L2S-M's spelling asks as well.", map[string]string{v1alpha1.L2SMNetworksAnnotation: `[{"name": "lab"}]`}, false, plain},
		"Empty":         {"An empty list has no form.", asks(""), false, plain},
		"Blank":         {"Nor has a blank one.", asks(" "), false, plain},
		"Names":         {"A list of names is kept, in its order.", asks("a, ns/b@eth7 "), false, "a, ns/b@eth7," + plain},
		"JSON":          {"A JSON list stays JSON.", asks(`[{"name": "a", "ips": ["10.0.0.1/24"]}]`), false, `[{"name": "a", "ips": ["10.0.0.1/24"]},` + json + `]`},
		"JSONEmpty":     {"No comma comes before the only element.", asks("[ ]"), false, "[" + json + "]"},
		"There":         {"Twice would wire twice.", asks("a," + plain), false, "a," + plain},
		"ThereFirst":    {"An interface's name does not hide it.", asks(plain + "@net5 , a"), false, plain + "@net5 , a"},
		"ThereJSON":     {"So in JSON.", asks("[" + json + "]"), false, "[" + json + "]"},
		"ThereJSONTurn": {"The order of fields says nothing.", asks(`[{"namespace" : "l2sm-system", "interface": "x", "name": "l2sm"}]`), false, `[{"namespace" : "l2sm-system", "interface": "x", "name": "l2sm"}]`},
		"Prefix":        {"Another name that starts like ours is not ours.", asks(plain + "-extra"), false, plain + "-extra," + plain},
		"TwoElements":   {"Name and namespace of two elements are no entry.", asks(`[{"name":"l2sm"},{"name":"x","namespace":"l2sm-system"}]`), false, `[{"name":"l2sm"},{"name":"x","namespace":"l2sm-system"},` + json + `]`},
		"Broken":        {"What Multus will refuse is the user's to see.", asks(`[{"name":"a"`), false, `[{"name":"a"`},
		"HostNetwork":   {"The node's namespace gets no interface.", map[string]string{v1alpha1.NetworksAnnotation: "lab"}, true, ""},
		"AsksBlank":     {"Blank asks for nothing.", map[string]string{v1alpha1.NetworksAnnotation: " "}, false, ""},
		"AsksNothing":   {"Other pods are not touched.", map[string]string{multus: "a"}, false, "a"},
	}

	eventually(t, func(g Gomega) {
		g.Expect(admit(t.Context(), pod(cases["Alone"].annotations, false))).NotTo(BeEmpty())
	})

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := admit(t.Context(), pod(tc.annotations, tc.hostNetwork))
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s -want, +got:\n%s", tc.reason, strings.TrimSpace(diff))
			}
		})
	}
}
