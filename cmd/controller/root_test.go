package main

import (
	"bytes"
	"strings"
	"testing"
)

// What is wrong on the command line or in the environment is said at once, and
// says what to do.
func TestBadOptions(t *testing.T) {
	cases := map[string]struct {
		reason string
		env    map[string]string
		args   []string
		says   string
	}{
		"NoNorthbound": {"without a database there is no work", nil, []string{"--sb=unix:/sb"}, "--nb is missing"},
		"NoSouthbound": {"nor without the other", nil, []string{"--nb=unix:/nb"}, "--sb is missing"},
		"SmallMTU":     {"pods would be left nothing", nil, []string{"--nb=unix:/nb", "--sb=unix:/sb", "--underlay-mtu=100"}, "leaves pods 42 bytes"},
		"SmallIPv6MTU": {"IPv6 takes 20 bytes more", map[string]string{"UNDERLAY_FAMILY": "IPv6"}, []string{"--nb=unix:/nb", "--sb=unix:/sb", "--underlay-mtu=140"}, "leaves pods 62 bytes"},
		"NoFamily":     {"a typo in the settings must not become a default", map[string]string{"UNDERLAY_FAMILY": "v6"}, []string{"--nb=unix:/nb", "--sb=unix:/sb"}, "--underlay-family=v6"},
		"EnvMTU":       {"a setting that is no number is no default", map[string]string{"UNDERLAY_MTU": "jumbo"}, []string{"--nb=unix:/nb", "--sb=unix:/sb"}, "leaves pods"},
		"EnvEndpoint":  {"endpoints of the environment are read, and an unusable one refused", map[string]string{"NB_ENDPOINTS": "nowhere", "SB_ENDPOINTS": "unix:/sb"}, nil, `"nowhere"`},
		"NoTLS":        {"ssl: needs certificates", nil, []string{"--nb=ssl:[::1]:6641", "--sb=unix:/sb"}, "load certificates from --tls-dir"},
		"EnvOverlaps":  {"a setting that is no choice is no default", map[string]string{"REFUSE_OVERLAPS": "maybe"}, []string{"--nb=unix:/nb", "--sb=unix:/sb"}, "REFUSE_OVERLAPS"},
		"EnvAttachBy":  {"a typo in the settings must not become a default", map[string]string{"ATTACH_BY": "cni"}, []string{"--nb=unix:/nb", "--sb=unix:/sb"}, "--attach-by=cni"},
		"ShortLived":   {"nodes would ask all the time", nil, []string{"--nb=unix:/nb", "--sb=unix:/sb", "--node-certificate-lifetime=1s"}, "want 30s to 24h"},
		"LongLived":    {"a taken node would be one for long", nil, []string{"--nb=unix:/nb", "--sb=unix:/sb", "--node-certificate-lifetime=48h"}, "want 30s to 24h"},
		"Fabric":       {"a typo in the settings must not become a default", map[string]string{"FABRIC": "zones"}, nil, "--fabric=zones: want one of"},
		"NoKeys":       {"a range that can't be read is no default", nil, []string{"--fabric=Zones", "--tunnel-keys=all"}, "want FIRST-LAST within 1-16777215"},
		"EnvKeys":      {"in the environment, too", map[string]string{"FABRIC": "Zones", "TUNNEL_KEYS": "9-1"}, nil, "want FIRST-LAST within 1-16777215"},
		"TheirKeys":    {"two networks with one key lose each other's frames", nil, []string{"--fabric=OVNKubernetes", "--tunnel-keys=16000001-16711683"}, "end the range before"},
		"Argument":     {"what is no flag is a mistake", nil, []string{"start"}, `unknown command "start"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"NB_ENDPOINTS", "SB_ENDPOINTS", "UNDERLAY_MTU", "UNDERLAY_FAMILY", "TLS_DIR", "REFUSE_OVERLAPS", "ATTACH_BY", "FABRIC", "TUNNEL_KEYS"} {
				t.Setenv(key, tc.env[key])
			}
			root := newRoot()
			root.SetArgs(append([]string{}, tc.args...))
			err := root.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got %v, want an error that says %q", tc.reason, err, tc.says)
			}
		})
	}
}

// The flag wins over the environment, which wins over the default.
func TestRefuseOverlaps(t *testing.T) {
	cases := map[string]struct {
		env  string
		args []string
		want string
	}{
		"Default": {"", nil, "false"},
		"Empty":   {" ", nil, "false"},
		"Env":     {"true", nil, "true"},
		"Flag":    {"true", []string{"--refuse-overlaps=false"}, "false"},
		"Both":    {"false", []string{"--refuse-overlaps"}, "true"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("REFUSE_OVERLAPS", tc.env)
			root := newRoot()
			if err := root.ParseFlags(tc.args); err != nil {
				t.Fatal(err)
			}
			if got := root.Flags().Lookup("refuse-overlaps").Value.String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestHelpTeaches(t *testing.T) {
	out := &bytes.Buffer{}
	root := newRoot()
	root.SetOut(out)
	root.SetArgs([]string{"--help"})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"L2Attachment", "Examples:", "NB_ENDPOINTS", "--leader-elect", "KUBECONFIG", "FABRIC", "TUNNEL_KEYS"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("--help does not mention %q", want)
		}
	}
}
