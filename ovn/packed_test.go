package ovn

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

const someUUID = "5f0c2f39-8a7b-4f0e-9d7d-00000000a001"

var (
	someText = rapid.OneOf(
		rapid.SampledFrom(append(slices.Clone(wellKnown), "", someUUID, strings.ToUpper(someUUID), strings.Repeat("0", 36))),
		rapid.String(), rapid.StringN(0, 300, -1),
	)
	someMap    = rapid.MapOf(someText, someText)
	someSet    = rapid.SliceOf(someText)
	someOption = rapid.Ptr(someText, true)
)

// A packed row has no value of its own, and unpacked it is what it was.
func TestRowsArePacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		port := &portModel{
			UUID: someText.Draw(t, "uuid"), Name: someText.Draw(t, "name"), Type: someText.Draw(t, "type"),
			Options: someMap.Draw(t, "options"), Addresses: someSet.Draw(t, "addresses"), PortSecurity: someSet.Draw(t, "security"),
			Dhcpv4Options: someOption.Draw(t, "v4"), Dhcpv6Options: someOption.Draw(t, "v6"), ExternalIDs: someMap.Draw(t, "ids"),
		}
		set := &dhcpModel{
			UUID: someText.Draw(t, "uuid"), CIDR: someText.Draw(t, "cidr"),
			Options: someMap.Draw(t, "options"), ExternalIDs: someMap.Draw(t, "ids"),
		}
		sw := &switchRow{
			UUID: someText.Draw(t, "uuid"), Name: someText.Draw(t, "name"),
			OtherConfig: someMap.Draw(t, "config"), ExternalIDs: someMap.Draw(t, "ids"),
		}

		acl := &aclModel{
			UUID: someText.Draw(t, "uuid"), Direction: someText.Draw(t, "direction"), Priority: rapid.IntRange(0, 32767).Draw(t, "priority"),
			Match: someText.Draw(t, "match"), Action: someText.Draw(t, "action"), ExternalIDs: someMap.Draw(t, "ids"),
		}

		packedACL := acl.CloneModel().(*aclModel)
		packedPort := port.CloneModel().(*portModel)
		packedSet := set.CloneModel().(*dhcpModel)
		packedSwitch := sw.CloneModel().(*switchRow)
		for _, m := range []map[string]string{packedPort.Options, packedPort.ExternalIDs, packedSet.Options, packedSet.ExternalIDs, packedSwitch.OtherConfig, packedSwitch.ExternalIDs, packedACL.ExternalIDs} {
			if m != nil {
				t.Errorf("a packed row has the map %v", m)
			}
		}
		same := cmp.Options{cmp.AllowUnexported(portModel{}, dhcpModel{}, switchRow{}, aclModel{}), cmpopts.IgnoreFields(aclModel{}, "match"), cmpopts.IgnoreFields(switchRow{}, "members"), cmpopts.EquateEmpty()}
		if diff := cmp.Diff(port, packedPort.CloneModel(), same); diff != "" {
			t.Errorf("port (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(set, packedSet.CloneModel(), same); diff != "" {
			t.Errorf("set (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(acl, packedACL.CloneModel(), same); diff != "" {
			t.Errorf("rule (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(sw, packedSwitch.CloneModel(), same); diff != "" {
			t.Errorf("switch (-before +after):\n%s", diff)
		}
	})
}

// Whatever comes and goes in whatever order, few members or many are the same.
func TestMembers(t *testing.T) {
	ids := rapid.SliceOfDistinct(rapid.Custom(func(t *rapid.T) string {
		return rowID{15: byte(rapid.IntRange(0, 40).Draw(t, "id"))}.String()
	}), func(s string) string { return s })
	rapid.Check(t, func(t *rapid.T) {
		m, want := &members{}, map[string]bool{}
		for _, ports := range rapid.SliceOf(ids).Draw(t, "changes") {
			m.toggle(ports)
			for _, id := range ports {
				want[id] = !want[id]
			}
			maps.DeleteFunc(want, func(_ string, has bool) bool { return !has })

			got := m.all()
			slices.Sort(got)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("members (-want +got):\n%s", diff)
			}
			if m.len() != len(want) {
				t.Fatalf("%d members, want %d", m.len(), len(want))
			}
			for _, id := range ids.Draw(t, "looked for") {
				if m.has(id) != want[id] {
					t.Fatalf("has %s: %t, want %t", id, m.has(id), want[id])
				}
			}
		}
	})
}
