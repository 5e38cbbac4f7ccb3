package wireguard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// said is a change in words.
func said(p plan, names map[Key]string) []string {
	var all []string
	if p.change.PrivateKey != nil {
		all = append(all, "private key")
	}
	if p.change.ListenPort != nil {
		all = append(all, fmt.Sprint("port ", *p.change.ListenPort))
	}
	for _, c := range p.change.Peers {
		name := names[Key(c.PublicKey)]
		if c.Remove {
			all = append(all, name+" removed")
			continue
		}
		text := name
		if !c.UpdateOnly {
			text += " new"
		}
		if c.Endpoint != nil {
			text += " at " + c.Endpoint.String()
		}
		if c.PersistentKeepaliveInterval != nil {
			text += " alive " + c.PersistentKeepaliveInterval.String()
		}
		if c.ReplaceAllowedIPs && len(c.AllowedIPs) == 0 {
			text += " is nobody"
		}
		for _, a := range c.AllowedIPs {
			text += " is " + a.String()
		}
		all = append(all, text)
	}
	return all
}

func TestDecide(t *testing.T) {
	east, west := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::3")
	var e1, e2, w1, w2 = Key{1}, Key{2}, Key{3}, Key{4}
	names := map[Key]string{e1: "e1", e2: "e2", w1: "w1", w2: "w2"}
	private := mustGenerate(t)
	config := func(peers ...Peer) Config {
		return Config{PrivateKey: private, Local: netip.MustParseAddr("192.0.2.1"), Port: 51820, MTU: 1500, Peers: peers}
	}
	both := config(Peer{west, []Key{w1}}, Peer{east, []Key{e1, e2}})
	insideEast, insideWest := Inside(east).String()+"/128", Inside(west).String()+"/128"
	at := func(key Key, endpoint string, chosen string, handshake int64) wgtypes.Peer {
		a, err := net.ResolveUDPAddr("udp", endpoint)
		if err != nil {
			t.Fatal(err)
		}
		p := wgtypes.Peer{PublicKey: wgtypes.Key(key), Endpoint: a, LastHandshakeTime: time.Unix(handshake, 0)}
		if chosen != "" {
			_, n, err := net.ParseCIDR(chosen)
			if err != nil {
				t.Fatal(err)
			}
			p.AllowedIPs, p.PersistentKeepaliveInterval = []net.IPNet{*n}, keepalive
		}
		return p
	}
	device := func(peers ...wgtypes.Peer) *wgtypes.Device {
		return &wgtypes.Device{PrivateKey: *private.secret(), ListenPort: 51820, Peers: peers}
	}
	const atEast, atWest = "192.0.2.2:51820", "[2001:db8::3]:51820"
	right := device(at(w1, atWest, insideWest, 7), at(e1, atEast, insideEast, 5), at(e2, atEast, "", 0))
	cases := map[string]struct {
		reason   string
		is       *wgtypes.Device
		c        Config
		silent   []netip.Addr
		want     []string
		switched bool
		shared   []Key
	}{
		"New": {"the first key is sent to, others may shake hands", &wgtypes.Device{}, both, nil, []string{
			"private key", "port 51820",
			"e1 new at 192.0.2.2:51820 alive 25s is " + insideEast, "e2 new at 192.0.2.2:51820 alive 0s",
			"w1 new at [2001:db8::3]:51820 alive 25s is " + insideWest,
		}, true, nil},
		"Right":  {"nothing is written that is there", right, both, nil, nil, false, nil},
		"Mapped": {"one endpoint is one, in whatever form", device(at(e1, "[::ffff:192.0.2.2]:51820", insideEast, 5)), config(Peer{netip.MustParseAddr("::ffff:192.0.2.2"), []Key{e1}}), nil, nil, false, nil},
		"Twice":  {"a peer in two parts is one", device(at(e1, atEast, insideEast, 0), at(e2, atEast, "", 0)), config(Peer{east, []Key{e1}}, Peer{east, []Key{e1, e2}}), nil, nil, false, nil},
		"Added":  {"the rest stays as it is", device(at(e1, atEast, insideEast, 5), at(e2, atEast, "", 0)), both, nil, []string{"w1 new at [2001:db8::3]:51820 alive 25s is " + insideWest}, true, nil},
		"Gone":   {"the rest stays as it is", right, config(Peer{west, []Key{w1}}), nil, []string{"e1 removed", "e2 removed"}, false, nil},
		"KeyGone": {"the one that is left is sent to", right, config(Peer{west, []Key{w1}}, Peer{east, []Key{e2}}), nil,
			[]string{"e2 alive 25s is " + insideEast, "e1 removed"}, true, nil},
		"Kept": {"the key in use stays, wherever it is listed", device(at(e1, atEast, "", 5), at(e2, atEast, insideEast, 1)), config(Peer{east, []Key{e1, e2}}), nil, nil, false, nil},
		"Silent": {"the other has shaken hands since", device(at(e1, atEast, insideEast, 5), at(e2, atEast, "", 6)), config(Peer{east, []Key{e1, e2}}), []netip.Addr{east},
			[]string{"e1 alive 0s is nobody", "e2 alive 25s is " + insideEast}, true, nil},
		"SilentBefore": {"the key in use was the last to shake hands", device(at(e1, atEast, insideEast, 5), at(e2, atEast, "", 4)), config(Peer{east, []Key{e1, e2}}), []netip.Addr{east}, nil, false, nil},
		"SilentNever":  {"none has shaken hands", device(at(e1, atEast, insideEast, 0), at(e2, atEast, "", 0)), config(Peer{east, []Key{e1, e2}}), []netip.Addr{east}, nil, false, nil},
		"SilentOther":  {"it is another that is silent", device(at(e1, atEast, insideEast, 5), at(e2, atEast, "", 6)), config(Peer{east, []Key{e1, e2}}), []netip.Addr{west}, nil, false, nil},
		"Led":          {"an endpoint that was led astray is found again", device(at(e1, "198.51.100.9:4500", insideEast, 5)), config(Peer{east, []Key{e1}}), nil, []string{"e1 at 192.0.2.2:51820"}, false, nil},
		"Moved": {"the same keys are at another address", device(at(e1, atEast, insideEast, 5)), config(Peer{west, []Key{e1}}), nil,
			[]string{"e1 at [2001:db8::3]:51820 is " + insideWest}, true, nil},
		"Shared": {"a key is one edge's, that of the first address", device(at(e1, atEast, insideEast, 5)), config(Peer{west, []Key{e1}}, Peer{east, []Key{e1}}), nil, nil, false, []Key{e1}},
		"SharedNext": {"the rest of the second's keys are its own", device(at(e1, atEast, insideEast, 5)), config(Peer{west, []Key{e1, w2}}, Peer{east, []Key{e1}}), nil,
			[]string{"w2 new at [2001:db8::3]:51820 alive 25s is " + insideWest}, true, []Key{e1}},
		"Ours": {"the device would leave our own key out without a word", device(), config(Peer{east, []Key{private.Public()}}), nil, nil, false, []Key{private.Public()}},
		"Port": {"no peer is touched", func() *wgtypes.Device { d := *right; d.ListenPort = 1; return &d }(), both, nil, []string{"port 51820"}, false, nil},
		"Key":  {"no peer is touched", func() *wgtypes.Device { d := *right; d.PrivateKey[5]++; return &d }(), both, nil, []string{"private key"}, false, nil},
		"More": {"a peer may send as its edge alone", func() *wgtypes.Device {
			p := at(e1, atEast, insideEast, 5)
			p.AllowedIPs = append(p.AllowedIPs, net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)})
			return device(p)
		}(), config(Peer{east, []Key{e1}}), nil, []string{"e1 is " + insideEast}, false, nil},
		"NoKeys": {"a peer without keys is not sent to", device(), config(Peer{east, nil}), nil, nil, false, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := decide(tc.is, tc.c, tc.silent)
			if diff := cmp.Diff(tc.want, said(got, names)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if got.switched != tc.switched {
				t.Errorf("switched: %v: %s", got.switched, tc.reason)
			}
			var shared *SharedKeyError
			if errors.As(got.shared, &shared) != (len(tc.shared) > 0) || shared != nil && !slices.Contains(tc.shared, shared.Key) {
				t.Errorf("shared keys: %v: %s", got.shared, tc.reason)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	good := Config{PrivateKey: mustGenerate(t), Local: netip.MustParseAddr("192.0.2.1"), Port: 51820, MTU: 1500}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(*Config){
		"NoKey":     func(c *Config) { c.PrivateKey = PrivateKey{} },
		"NoAddress": func(c *Config) { c.Local = netip.Addr{} },
		"NoPort":    func(c *Config) { c.Port = 0 },
		"MTU":       func(c *Config) { c.MTU = minMTU + Overhead4 - 1 },
		"MTU6":      func(c *Config) { c.Local, c.MTU = netip.MustParseAddr("2001:db8::1"), minMTU+Overhead6-1 },
		"Peers":     func(c *Config) { c.Peers = slices.Repeat([]Peer{{Endpoint: c.Local}}, MaxPeers+1) },
		"Keys":      func(c *Config) { c.Peers = []Peer{{c.Local, make([]Key, MaxKeys+1)}} },
		"Endpoint":  func(c *Config) { c.Peers = []Peer{{}} },
		"Zone":      func(c *Config) { c.Peers = []Peer{{Endpoint: netip.MustParseAddr("fe80::1%eth0")}} },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			if c.check() == nil {
				t.Errorf("%v is taken", c)
			}
		})
	}
}
