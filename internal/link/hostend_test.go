package link

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const container = "4f2a9c1e6f0b4f2a9c1e6f0b4f2a9c1e6f0b4f2a9c1e6f0b4f2a9c1e6f0b4f2a"

func TestHostName(t *testing.T) {
	names := map[string]string{}
	for _, c := range []string{container, "c1", "c2"} {
		for _, i := range []string{"net1", "net2", "a-long-iface-15"} {
			name := HostName(c, i)
			if len(name) > 15 {
				t.Errorf("HostName(%q, %q) = %q, which the kernel refuses: want at most 15 characters", c, i, name)
			}
			if other, taken := names[name]; taken {
				t.Errorf("HostName(%q, %q) = %q, as for %s", c, i, name, other)
			}
			if again := HostName(c, i); again != name {
				t.Errorf("HostName(%q, %q) = %q, then %q", c, i, name, again)
			}
			names[name] = c + "/" + i
		}
	}
}

func TestIn(t *testing.T) {
	owned := HostEnd{Name: HostName("c1", "net2"), Owner: Owner{Container: "c1", IfName: "net1", Config: "l2sm"}}
	orphan := HostEnd{Name: HostName("c1", "net2")}
	cases := map[string]struct {
		reason    string
		end       HostEnd
		container string
		want      bool
	}{
		"Own":            {"the owner says so", owned, "c1", true},
		"OtherContainer": {"another container has nothing to do with it", owned, "c2", false},
		"Orphan":         {"a host end without an owner goes with its container", orphan, "c1", true},
		"OrphanOfOther":  {"and with no other container", orphan, "c2", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.end.In(tc.container); got != tc.want {
				t.Errorf("%s: In(%q) = %v, want %v", tc.reason, tc.container, got, tc.want)
			}
		})
	}
}

func TestAlias(t *testing.T) {
	owner := Owner{Container: container, IfName: "net1", Config: "l2sm"}
	got, ok := parseAlias(owner.alias())
	if diff := cmp.Diff(owner, got); !ok || diff != "" {
		t.Errorf("an owner must survive the alias (-want +got):\n%s", diff)
	}
	if max := 255; len(owner.alias()) > max {
		t.Errorf("alias has %d bytes, the kernel keeps %d", len(owner.alias()), max)
	}
	long := strings.Repeat("n", 60) + "." + strings.Repeat("n", 192)
	for _, name := range []string{long, long[:170], long[:maxConfig+1]} {
		owner := NewOwner(container, "fifteen-charact", name)
		got, ok := parseAlias(owner.alias())
		if diff := cmp.Diff(owner, got); !ok || diff != "" || len(owner.alias()) > 255 {
			t.Errorf("a configuration's name of %d bytes makes an alias of %d (-want +got):\n%s", len(name), len(owner.alias()), diff)
		}
		if again := ConfigName(owner.Config); again != owner.Config {
			t.Errorf("ConfigName of %q is %q: what was read from an alias must stay", owner.Config, again)
		}
	}
	if ConfigName(long) == ConfigName(long+"n") {
		t.Error("two long names have one ConfigName")
	}
	for _, foreign := range []string{"", "uplink to rack 3", "l2sm", "l2sm a b", strings.Repeat("x", 255)} {
		if owner, ok := parseAlias(foreign); ok {
			t.Errorf("parseAlias(%q) = %v: a stranger's alias must not be taken for ours", foreign, owner)
		}
	}
}
