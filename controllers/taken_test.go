package controllers

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func TestTakenHint(t *testing.T) {
	cases := map[string]struct{ reason, holder, uid, pod, want string }{
		"Rolling":     {"The old pod of the Deployment has it.", "web-6d4b75cb6d-x7k9p", "1", "web-7f9c8d5b4f-b2zqs", "maxSurge: 0"},
		"Replicas":    {"Two pods of one ReplicaSet both ask for it.", "web-6d4b75cb6d-x7k9p", "1", "web-6d4b75cb6d-b2zqs", "several replicas"},
		"DaemonSet":   {"So do those of a DaemonSet.", "net-x7k9p", "1", "net-b2zqs", "several replicas"},
		"Other":       {"Any other pod has it.", "api-6d4b75cb6d-x7k9p", "1", "web-7f9c8d5b4f-b2zqs", `when pod "api-6d4b75cb6d-x7k9p" has ended`},
		"Stateful":    {"Pods of a StatefulSet are none of one address.", "db-0", "1", "db-1", `when pod "db-0" has ended`},
		"Reserved":    {"A user's attachment waits for its pod.", "db-0", "", "web", `L2Attachment "held" reserves it for pod "db-0"`},
		"ReservedFor": {"It waits for this very pod.", "db-0", "", "db-0", "reserves it for this pod's name"},
		"Self":        {"The pod asks for it twice.", "web", "1", "web", "another interface of this pod"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			holder := &v1alpha1.L2Attachment{ObjectMeta: metav1.ObjectMeta{Name: "held"}}
			holder.Spec.PodName = tc.holder
			holder.Spec.PodUID = "1"
			if tc.uid == "" {
				holder.Spec.PodUID = ""
			}
			if got := takenHint(holder, tc.pod); !strings.Contains(got, tc.want) {
				t.Errorf("%s Got %q, want %q in it", tc.reason, got, tc.want)
			}
		})
	}
}
