package controllers

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// Objects that come hours apart share their strings, too.
func TestEqualStringsAreOne(t *testing.T) {
	first := one(strings.Clone("the port is in OVN's northbound database"))
	for range 3 {
		runtime.GC()
	}
	if again := one(strings.Clone(first)); unsafe.StringData(again) != unsafe.StringData(first) {
		t.Error("an equal string takes memory of its own")
	}
}

// Users choose many of the strings, their number and their length.
func TestSharedStringsAreBounded(t *testing.T) {
	s := sharedStrings{}
	long := strings.Repeat("x", maxShared+1)
	if got := s.one(long); got != long || len(s.all) != 0 {
		t.Errorf("a long string is kept: %d", len(s.all))
	}
	for i := range 3 * maxStrings {
		text := fmt.Sprint(i)
		if got := s.one(text); got != text {
			t.Fatalf("got %q for %q", got, text)
		}
		if len(s.all) > maxStrings {
			t.Fatalf("%d strings are kept", len(s.all))
		}
	}
}
