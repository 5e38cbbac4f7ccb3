package controllers

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestFilling(t *testing.T) {
	key := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "ns", Name: name} }
	begin := func(names ...string) func(*filling) {
		return func(f *filling) {
			var keys []types.NamespacedName
			for _, name := range names {
				keys = append(keys, key(name))
			}
			f.begin(keys)
		}
	}
	written := func(name string) func(*filling) { return func(f *filling) { f.settle(key(name), true) } }
	without := func(name string) func(*filling) { return func(f *filling) { f.settle(key(name), false) } }
	end := func(round int) func(*filling) { return func(f *filling) { f.end(round) } }

	for name, tc := range map[string]struct {
		steps  []func(*filling)
		want   []string
		filled bool
	}{
		"not connected yet":            {},
		"written before all are known": {steps: []func(*filling){written("a")}},
		"no networks":                  {steps: []func(*filling){begin()}, filled: true},
		"one is missing":               {steps: []func(*filling){begin("a", "b"), written("a")}},
		"all are written":              {steps: []func(*filling){begin("a", "b"), written("a"), written("b")}, want: []string{"a", "b"}, filled: true},
		"one is refused":               {steps: []func(*filling){begin("a", "b"), written("a"), without("b")}, want: []string{"a"}, filled: true},
		"one is new":                   {steps: []func(*filling){begin("a"), written("b"), written("a")}, want: []string{"a", "b"}, filled: true},
		"one is deleted meanwhile":     {steps: []func(*filling){begin("a", "b"), written("a"), without("a"), written("b")}, want: []string{"b"}, filled: true},
		"over":                         {steps: []func(*filling){begin("a"), written("a"), end(1)}},
		"another database":             {steps: []func(*filling){begin("a"), written("a"), end(1), begin("a")}},
		"another database meanwhile":   {steps: []func(*filling){begin("a"), written("a"), begin("a"), written("a"), end(1)}, want: []string{"a"}, filled: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := &filling{}
			for _, step := range tc.steps {
				step(f)
			}
			keys, _, filled := f.filled()
			var got []string
			for _, k := range keys {
				if k.Namespace != "ns" {
					t.Errorf("namespace of %v", k)
				}
				got = append(got, k.Name)
			}
			slices.Sort(got)
			if filled != tc.filled || !slices.Equal(got, tc.want) {
				t.Errorf("want filled %v with %v, got %v with %v", tc.filled, tc.want, filled, got)
			}
		})
	}
}
