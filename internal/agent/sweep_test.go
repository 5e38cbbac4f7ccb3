package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/cri"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
)

func TestIsLeft(t *testing.T) {
	p := ovs.Port{Name: "p", Sandbox: sandbox("c1", "net1")}
	list := func(all ...cri.Sandbox) []cri.Sandbox { return all }
	ready := cri.Sandbox{ID: "c1", PodUID: uid, Ready: true}
	stopped := cri.Sandbox{ID: "c1", PodUID: uid}
	next := cri.Sandbox{ID: "c2", PodUID: uid, Ready: true}
	making := cri.Sandbox{ID: "c2", PodUID: uid}
	reborn := pod(nil)
	reborn.UID = "next"
	over := pod(nil)
	over.Status.Phase = corev1.PodSucceeded
	cases := map[string]struct {
		reason    string
		pod       *corev1.Pod
		sandboxes []cri.Sandbox
		want      bool
	}{
		"InUse":          {"its sandbox is ready", pod(nil), list(ready), false},
		"BeingMade":      {"containerd 1.6 lists a sandbox when its ADD is done", pod(nil), nil, false},
		"BeingMadeToo":   {"later versions list it as not ready", pod(nil), list(stopped), false},
		"PodGone":        {"no DEL will come for a sandbox that the runtime does not know", nil, nil, true},
		"PodGoneStopped": {"nor for one that is stopped", nil, list(stopped), true},
		"PodGoneReady":   {"the kubelet is about to stop it", nil, list(ready), false},
		"PodReborn":      {"the pod of the name is another", reborn, nil, true},
		"PodEnded":       {"its processes have ended", over, nil, true},
		"NextSandbox":    {"the pod has another one", pod(nil), list(next), true},
		"NextIsMade":     {"the other one is not ready yet", pod(nil), list(making), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := isLeft(p, tc.pod, tc.sandboxes); got != tc.want {
				t.Errorf("%s: isLeft = %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestLeftEnds(t *testing.T) {
	owned := func(container string) link.HostEnd {
		return link.HostEnd{Name: link.HostName(container, "net1"), Owner: link.Owner{Container: container, IfName: "net1", Config: "l2sm"}}
	}
	nameless := link.HostEnd{Name: link.HostName("c1", "net1")} // its maker died before it wrote the owner
	ready := cri.Sandbox{ID: "c1", PodUID: uid, Ready: true}
	stopped := cri.Sandbox{ID: "c1", PodUID: uid}
	cases := map[string]struct {
		reason    string
		ends      []link.HostEnd
		ports     []ovs.Port
		sandboxes []cri.Sandbox
		want      []link.HostEnd
	}{
		"Left":          {"nobody knows the container", []link.HostEnd{owned("c1")}, nil, nil, []link.HostEnd{owned("c1")}},
		"LeftNameless":  {"nor this one's", []link.HostEnd{nameless}, nil, nil, []link.HostEnd{nameless}},
		"Port":          {"it goes with its port", []link.HostEnd{owned("c1")}, []ovs.Port{{Name: link.HostName("c1", "net1")}}, nil, nil},
		"Ready":         {"the watch is about to give it a port", []link.HostEnd{owned("c1"), nameless}, nil, []cri.Sandbox{ready}, nil},
		"Stopped":       {"its DEL comes, or its network namespace goes", []link.HostEnd{owned("c1"), nameless}, nil, []cri.Sandbox{stopped}, nil},
		"OtherIsListed": {"another container is another's", []link.HostEnd{owned("c2")}, nil, []cri.Sandbox{ready}, []link.HostEnd{owned("c2")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, leftEnds(tc.ends, tc.ports, tc.sandboxes), empty); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

var empty = cmp.Transformer("EmptyIsNil", func(ends []link.HostEnd) []link.HostEnd {
	if len(ends) == 0 {
		return nil
	}
	return ends
})

func TestOrphans(t *testing.T) {
	ready := cri.Sandbox{ID: "c1", PodUID: uid, Ready: true}
	end := link.HostEnd{Name: link.HostName("c1", "net1"), Owner: link.Owner{Container: "c1", IfName: "net1", Config: hotConfig}}
	other := link.HostEnd{Name: link.HostName("c2", "net1"), Owner: link.Owner{Container: "c2", IfName: "net1", Config: hotConfig}}
	older := attachment(func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "older" })
	cases := map[string]struct {
		reason      string
		ports       []ovs.Port
		attachments []v1alpha1.L2Attachment
		want        []link.HostEnd
	}{
		"Orphan":    {"its attachment is gone, and nothing else leads to it", nil, nil, []link.HostEnd{end}},
		"OtherLife": {"the attachment is another pod's", nil, []v1alpha1.L2Attachment{*older}, []link.HostEnd{end}},
		"Claimed":   {"the watch gives it a port", nil, []v1alpha1.L2Attachment{*attachment()}, nil},
		"Port":      {"the watch removes both", []ovs.Port{{Name: end.Name}}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, orphans(ready, []link.HostEnd{end, other}, tc.ports, tc.attachments), empty); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNewestReady(t *testing.T) {
	now := time.Now()
	sandboxes := []cri.Sandbox{
		{ID: "stopped", Created: now.Add(3 * time.Second)},
		{ID: "torn", Ready: true, Created: now.Add(2 * time.Second)},
		{ID: "old", Ready: true, Created: now},
		{ID: "new", Ready: true, Created: now.Add(time.Second)},
	}
	torn := func(container string) bool { return container == "torn" }
	if got := newestReady(sandboxes, torn); got == nil || got.ID != "new" {
		t.Errorf("newestReady = %+v, want the newest that is ready and not torn down", got)
	}
	if got := newestReady(sandboxes[:2], torn); got != nil {
		t.Errorf("newestReady = %+v, want none", got)
	}
}

func TestContainers(t *testing.T) {
	var c containers
	c.add("a")
	c.add("a")
	c.remove("a")
	if !c.has("a") || c.has("b") {
		t.Error("a container stays as often as it was added")
	}
	ran := false
	run := func() error { ran = true; return nil }
	if _ = c.without(func(container string) bool { return container == "a" }, run); ran {
		t.Error("nothing is done while the container is there")
	}
	c.remove("a")
	if _ = c.without(func(container string) bool { return container == "a" }, run); !ran {
		t.Error("nothing is in the way any more")
	}
	c.add("b")
	c.add("c")
	c.forget(func(container string) bool { return container == "b" })
	c.drop("b")
	if c.has("b") || c.has("c") {
		t.Error("what is forgotten or dropped is gone")
	}
}
