package controllers

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/attach"
	"l2sm.io/l2sm/internal/heaptest"
)

// What a pod had counts until the pod is gone, and what is given until it is
// free; that something was given is remembered.
func TestInterfaceNamesServed(t *testing.T) {
	n := &interfaceNames{}
	if n.served("p") || len(n.seen("p", nil)) > 0 {
		t.Error("nothing is known of a pod at first")
	}
	n.free("p", "net1")
	n.forget("p")
	n.choose("p", "a", attach.Request{Interface: "net1"}, nil)
	n.free("p", "net1")
	if !n.served("p") || len(n.seen("p", nil)) > 0 {
		t.Error("a name that was given and is free again served the pod, and was no interface")
	}
	mine, other := v1alpha1.L2Attachment{}, v1alpha1.L2Attachment{}
	mine.Spec.PodUID, mine.Spec.Interface = "q", "net9"
	other.Spec.PodUID, other.Spec.Interface = "r", "net7"
	n.note("q", "net2")
	n.note("q", "net1")
	n.note("q", "net2")
	n.seen("q", []v1alpha1.L2Attachment{mine, other, {}})
	if diff := cmp.Diff(map[string]bool{"net1": true, "net2": true, "net9": true}, n.seen("q", nil)); diff != "" {
		t.Errorf("what the pod has had: -want +got\n%s", diff)
	}
	if !n.served("q") {
		t.Error("a pod that has had an interface was served")
	}
	for _, pod := range []types.UID{"p", "q", "r"} {
		n.forget(pod)
	}
	if len(n.pods) > 0 {
		t.Errorf("pods that are gone are kept: %v", n.pods)
	}
}

// The pod's reconcile names what nothing serves; a user's attachment that its cache
// did not show then gets that name, since it serves the entry.
func TestInterfaceNamesInherited(t *testing.T) {
	n := &interfaceNames{}
	ask := attach.Request{Interface: "net1"}
	n.choose("p", entryOwner("lab"), ask, nil)
	n.choose("p", entryOwner("other"), attach.Request{Interface: "net2"}, nil)
	n.inherit("q", "default/db", entryOwner("lab"))
	n.inherit("p", "default/db", entryOwner("lab"))
	if name, free := n.choose("p", "default/db", ask, nil); name != "net1" || !free {
		t.Errorf("it is named %q (free: %t), want net1", name, free)
	}
	if name, _ := n.choose("p", "default/extra", ask, nil); name != "net3" {
		t.Errorf("one that serves no entry is named %q, want net3", name)
	}
}

// Most pods have one interface.
func TestInterfaceNamesAreSmall(t *testing.T) {
	const pods, most = 4_000, 250
	uids, entries := make([]types.UID, pods), make([]string, pods)
	for i := range uids {
		uids[i], entries[i] = types.UID(fmt.Sprintf("%08d-0000-4000-8000-000000000002", i)), fmt.Sprintf("entry network-%04d", i)
	}
	n := &interfaceNames{}
	each := heaptest.Retained(func() {
		for i, uid := range uids {
			name, _ := n.choose(uid, entries[i], attach.Request{Interface: "net1"}, nil)
			n.note(uid, name)
		}
	}) / pods
	if each > most {
		t.Errorf("a pod's names hold %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(n)
	runtime.KeepAlive(entries)
}
