package zone

import (
	"fmt"
	"testing"

	"l2sm.io/l2sm/ovn"
)

func TestTaken(t *testing.T) {
	many, other := map[ovn.Key]int32{}, map[ovn.Key]int{}
	for i := range 7 {
		key := ovn.Key{Namespace: "default", Name: fmt.Sprintf("net-%d", i)}
		many[key], other[key] = int32(100+i), 200+i
	}
	net := ovn.Key{Namespace: "default", Name: "net"}
	cases := map[string]struct {
		reason string
		want   map[ovn.Key]int32
		given  map[ovn.Key]int
		says   string
	}{
		"Given":  {"all is well", map[ovn.Key]int32{net: 7}, map[ovn.Key]int{net: 7}, ""},
		"NotYet": {"northd comes to it", map[ovn.Key]int32{net: 7}, nil, ""},
		"Gone":   {"it is about to go", nil, map[ovn.Key]int{net: 7}, ""},
		"Other":  {"it is cut off", map[ovn.Key]int32{net: 7}, map[ovn.Key]int{net: 8}, "default/net has 8 and not 7"},
		"Many": {"a condition is bounded", many, other, "default/net-0 has 200 and not 100, default/net-1 has 201 and not 101, " +
			"default/net-2 has 202 and not 102, default/net-3 has 203 and not 103, default/net-4 has 204 and not 104, and 2 more"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := taken(tc.want, tc.given); err != nil {
				got = err.Error()
			}
			if got != tc.says {
				t.Errorf("%s: says %q, want %q", tc.reason, got, tc.says)
			}
		})
	}
}
