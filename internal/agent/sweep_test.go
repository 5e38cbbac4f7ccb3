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

// listing is what the runtime lists of pod ping.
func listing(id, uid string, ready bool) cri.Sandbox {
	return cri.Sandbox{ID: id, PodNamespace: "default", PodName: "ping", PodUID: uid, Ready: ready}
}

// mirror is the pod, as the mirror of a static one.
func mirror() *corev1.Pod {
	return pod(map[string]string{"kubernetes.io/config.hash": staticUID, "kubernetes.io/config.mirror": staticUID})
}

const staticUID = "1fa419d8454b29b54d3295c64c05e200"

func TestSandboxIsOfItsPod(t *testing.T) {
	foreign := listing("c1", staticUID, true)
	foreign.PodNamespace = "kube-system"
	cases := map[string]struct {
		reason  string
		sandbox cri.Sandbox
		pod     *corev1.Pod
		want    bool
	}{
		"Own":       {"the UIDs are one", listing("c1", uid, true), pod(nil), true},
		"OtherLife": {"a sandbox of a pod that is gone", listing("c1", "older", true), pod(nil), false},
		"Static":    {"the kubelet's UID stands in the mirror's annotation", listing("c1", staticUID, true), mirror(), true},
		"NoSandbox": {"a static pod's sandbox never has the mirror's UID", listing("c1", uid, true), mirror(), false},
		"Forged":    {"an annotation alone opens no other pod's sandbox", foreign, mirror(), false},
		"HashAlone": {"a pod that is no mirror has its own UID", listing("c1", staticUID, true), pod(map[string]string{"kubernetes.io/config.hash": staticUID}), false},
		"NoPod":     {"nothing is known of it", listing("c1", uid, true), nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := isOf(tc.sandbox, tc.pod); got != tc.want {
				t.Errorf("%s: isOf = %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestIsLeft(t *testing.T) {
	p := ovs.Port{Name: "p", Sandbox: sandbox("c1", "net1")}
	list := func(all ...cri.Sandbox) []cri.Sandbox { return all }
	ready, stopped := listing("c1", uid, true), listing("c1", uid, false)
	next, making := listing("c2", uid, true), listing("c2", uid, false)
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
		"NextIsStatic":   {"and so has a static pod", mirror(), list(listing("c2", staticUID, true)), true},
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
		"Left":          {"the runtime does not know the container", []link.HostEnd{owned("c1")}, nil, nil, []link.HostEnd{owned("c1")}},
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
	end := link.HostEnd{Name: link.HostName("c1", "net1"), Owner: link.Owner{Container: "c1", IfName: "net1", Config: link.HotConfig}}
	other := link.HostEnd{Name: link.HostName("c2", "net1"), Owner: link.Owner{Container: "c2", IfName: "net1", Config: link.HotConfig}}
	older := attachment(func(a *v1alpha1.L2Attachment) { a.Spec.PodUID = "older" })
	cases := map[string]struct {
		reason      string
		pod         *corev1.Pod
		uid         string
		ports       []ovs.Port
		attachments []*v1alpha1.L2Attachment
		want        []link.HostEnd
	}{
		"Orphan":    {"its attachment is gone, and nothing else leads to it", pod(nil), uid, nil, nil, []link.HostEnd{end}},
		"OtherLife": {"the attachment is another pod's", pod(nil), uid, nil, []*v1alpha1.L2Attachment{older}, []link.HostEnd{end}},
		"Claimed":   {"the watch gives it a port", pod(nil), uid, nil, []*v1alpha1.L2Attachment{attachment()}, nil},
		"NoPod":     {"the pod's cache lags", nil, uid, nil, []*v1alpha1.L2Attachment{attachment()}, nil},
		"Static":    {"the attachment names the mirror", mirror(), staticUID, nil, []*v1alpha1.L2Attachment{attachment()}, nil},
		"Refused":   {"the watch gives it none", pod(nil), uid, nil, []*v1alpha1.L2Attachment{attachment(saying(v1alpha1.LinkFull(keyOf(older), nil)))}, []link.HostEnd{end}},
		"Port":      {"the watch removes both", pod(nil), uid, []ovs.Port{{Name: end.Name}}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, orphans(listing("c1", tc.uid, true), tc.pod, []link.HostEnd{end, other}, tc.ports, tc.attachments), empty); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNewestReady(t *testing.T) {
	now := time.Now()
	sandboxes := []cri.Sandbox{listing("stopped", uid, false), listing("torn", uid, true), listing("old", uid, true), listing("new", uid, true), listing("other", "older", true)}
	for i, seconds := range []time.Duration{3, 2, 0, 1, 4} {
		sandboxes[i].Created = now.Add(seconds * time.Second)
	}
	torn := func(container string) bool { return container == "torn" }
	if got := newestReady(pod(nil), sandboxes, torn); got == nil || got.ID != "new" {
		t.Errorf("newestReady = %+v, want the newest that is ready and not torn down", got)
	}
	if got := newestReady(pod(nil), sandboxes[:2], torn); got != nil {
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
