package controllers

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// BenchmarkKeep is what an event costs: to decode it, and to decode and keep it.
func BenchmarkKeep(b *testing.B) {
	for name, object := range map[string]client.Object{
		"Pod": cachedPod(1), "Attachment": cachedAttachment(1), "Network": cachedNetwork(1), "Definition": cachedDefinition(1),
	} {
		k := newKept(b, object)
		k.add(b, object)
		b.Run(name+"/Decode", func(b *testing.B) {
			for b.Loop() {
				k.decoded(b, object)
			}
		})
		b.Run(name+"/DecodeAndKeep", func(b *testing.B) {
			for b.Loop() {
				k.add(b, object)
			}
		})
	}
}

// BenchmarkRead is what a look at the attachments of one pod costs.
func BenchmarkRead(b *testing.B) {
	k := newKept(b, cachedAttachment(0))
	for i := range 1_000 {
		k.add(b, cachedAttachment(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		all, err := k.store.ByIndex("field:"+podIndex, fmt.Sprintf("tenant-%02d/pod-%05d", 7, 7))
		if err != nil || len(all) != 1 {
			b.Fatal(all, err)
		}
		if _, is := all[0].(runtime.Object); !is {
			b.Fatal(all)
		}
	}
}
