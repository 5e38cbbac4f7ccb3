//go:build integration

package v1alpha1_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// TestStretchedNetworks is what the API server does with the objects of stretched
// networks.
func TestStretchedNetworks(t *testing.T) {
	c, cfg := server(t)
	t.Run("Defaults", func(t *testing.T) { testStretchDefaults(t, c) })
	t.Run("Selected", func(t *testing.T) { testStretchedAreSelected(t, c, cfg) })
	t.Run("Encryption", func(t *testing.T) { testEncryption(t, c) })
	t.Run("Validation", func(t *testing.T) { testStretchValidation(t, c) })
}

func testStretchValidation(t *testing.T, c client.Client) {
	t.Helper()
	peer := func(fields string) string {
		return `{asn: 64512, vnis: [{first: 1, last: 9}], namespaces: {}, endpoints: [{address: 192.0.2.1}]` + fields + `}`
	}
	keys := func(keys ...string) string {
		return peer(`, endpoints: [{address: 192.0.2.1, publicKeys: ["` + strings.Join(keys, `", "`) + `"]}]`)
	}
	east, west := publicKey(t), publicKey(t)
	many := func(n int, each string) string { return "[" + strings.Repeat(each+",", n) + "]" }
	cases := map[string]validation{
		"Stretch":        {"An id and a peer.", "L2Network", `{stretch: {id: 5001, peers: [east]}}`, "", ""},
		"StretchTop":     {"24 bits.", "L2Network", `{stretch: {id: 16777215, peers: [east]}}`, "", ""},
		"StretchAbove":   {"No 25th.", "L2Network", `{stretch: {id: 16777216, peers: [east]}}`, "", "stretch.id"},
		"StretchZero":    {"It stands for none.", "L2Network", `{stretch: {id: 0, peers: [east]}}`, "", "stretch.id"},
		"StretchNobody":  {"It goes on behind somebody.", "L2Network", `{stretch: {id: 1, peers: []}}`, "", "stretch.peers"},
		"StretchNames":   {"No name is empty.", "L2Network", `{stretch: {id: 1, peers: [""]}}`, "", "stretch.peers"},
		"StretchTwice":   {"A peer is named once.", "L2Network", `{stretch: {id: 1, peers: [a, a]}}`, "", "Duplicate"},
		"StretchMany":    {"Each is a tunnel more.", "L2Network", `{stretch: {id: 1, peers: ` + many(17, "x") + `}}`, "", "stretch.peers"},
		"StretchLink":    {"A link has two ends.", "L2Network", `{type: vlink, stretch: {id: 1, peers: [a]}}`, "", "a vlink can't be stretched"},
		"StretchLater":   {"It comes, changes and goes.", "L2Network", `{stretch: {id: 1, peers: [a]}}`, `{stretch: {id: 2, peers: [b]}}`, ""},
		"StretchRemoved": {"It comes, changes and goes.", "L2Network", `{stretch: {id: 1, peers: [a]}}`, `{}`, ""},

		"default":      {"The one edge.", "L2Edge", `{nodeSelector: {l2sm.io/edge: ""}, asn: 64512, address: 192.0.2.1}`, `{nodeSelector: {a: b}, asn: 64513, address: "2001:db8::1", mtu: 9000, encryption: None}`, ""},
		"another":      {"There is one.", "L2Edge", `{nodeSelector: {a: b}, asn: 64512}`, "", "named default"},
		"EdgeNowhere":  {"Not on every node by mistake.", "L2Edge", `{nodeSelector: {}, asn: 64512}`, "", "nodeSelector"},
		"EdgeLabel":    {"A value that no label can have.", "L2Edge", `{nodeSelector: {a: ` + strings.Repeat("a", 64) + `}, asn: 64512}`, "", "longer than a label"},
		"EdgeASN":      {"An ASN of two bytes: a route target has no room for more.", "L2Edge", `{nodeSelector: {a: b}, asn: 65535}`, "", "asn"},
		"EdgeMTU":      {"IPv6 needs 1280.", "L2Edge", `{nodeSelector: {a: b}, asn: 1, mtu: 1279}`, "", "mtu"},
		"EdgeName":     {"An address is no name.", "L2Edge", `{nodeSelector: {a: b}, asn: 1, address: edge.example.com}`, "", "IPv4 or IPv6"},
		"EdgeLong":     {"Addresses are compared as text.", "L2Edge", `{nodeSelector: {a: b}, asn: 1, address: "2001:DB8::1"}`, "", "usual form"},
		"EdgeLocal":    {"It means something on one link only.", "L2Edge", `{nodeSelector: {a: b}, asn: 1, address: "fe80::1"}`, "", "a host can have"},
		"EdgeNarrow":   {"IPv6 needs 1280, inside as well.", "L2Edge", `{nodeSelector: {a: b}, asn: 1, mtu: 1359, encryption: WireGuard}`, "", "at least 1360"},
		"EdgeEncrypts": {"Two ways.", "L2Edge", `{nodeSelector: {a: b}, asn: 1, encryption: IPsec}`, "", "encryption"},

		"PeerKeys":       {"The one in use, and the next one.", "L2Peer", keys(east, west), keys(west), ""},
		"PeerNoKeys":     {"None are said by leaving them out.", "L2Peer", peer(`, endpoints: [{address: 192.0.2.1, publicKeys: []}]`), "", "publicKeys"},
		"PeerKeyTwice":   {"Each once.", "L2Peer", keys(east, east), "", "Duplicate"},
		"PeerManyKeys":   {"Two generations, and the two before.", "L2Peer", keys(east, west, "a"+east[1:], "b"+east[1:], "c"+east[1:]), "", "publicKeys"},
		"PeerKeyShort":   {"32 bytes.", "L2Peer", keys(east[1:]), "", "44 characters"},
		"PeerKeyLong":    {"32 bytes.", "L2Peer", keys("a" + east), "", "publicKeys"},
		"PeerKeyHex":     {"In base64.", "L2Peer", keys(strings.Repeat("0f", 22)), "", "44 characters"},
		"PeerKeyBits":    {"One spelling of each: keys are compared as text.", "L2Peer", keys(east[:42] + "B="), "", "44 characters"},
		"PeerKeyShared":  {"It would not be known who speaks.", "L2Peer", peer(`, endpoints: [{address: 192.0.2.1, publicKeys: ["` + east + `"]}, {address: 192.0.2.2, publicKeys: ["` + east + `"]}]`), "", "a public key is of one endpoint"},
		"PeerFabricKeys": {"It speaks no WireGuard.", "L2Peer", keys(east)[:len(keys(east))-1] + `, type: Fabric, vteps: ["10.0.0.0/24"]}`, "", "a fabric speaks no WireGuard"},

		"Peer":           {"Another cluster.", "L2Peer", peer(``), peer(`, maxMACs: 65536, floodRate: 1`), ""},
		"PeerFabric":     {"A fabric has VTEPs.", "L2Peer", peer(`, type: Fabric, vteps: ["10.0.0.0/24"]`), "", ""},
		"PeerNoVTEPs":    {"A fabric has VTEPs.", "L2Peer", peer(`, type: Fabric`), "", "vteps goes with"},
		"PeerVTEPs":      {"A cluster has none.", "L2Peer", peer(`, vteps: ["10.0.0.0/24"]`), "", "vteps goes with"},
		"PeerVTEPRange":  {"Not an address.", "L2Peer", peer(`, type: Fabric, vteps: ["10.0.0.1"]`), "", "CIDR notation"},
		"PeerVTEPBits":   {"Bits behind the prefix are a typing error.", "L2Peer", peer(`, type: Fabric, vteps: ["10.0.0.1/24"]`), "", "network address"},
		"PeerNoVNIs":     {"Somebody has to say which.", "L2Peer", peer(`, vnis: []`), "", "vnis"},
		"PeerBackwards":  {"From first to last.", "L2Peer", peer(`, vnis: [{first: 2, last: 1}]`), "", "first may not be above last"},
		"PeerVNIAbove":   {"24 bits.", "L2Peer", peer(`, vnis: [{first: 1, last: 16777216}]`), "", "vnis"},
		"PeerNoEndpoint": {"There is somebody.", "L2Peer", peer(`, endpoints: []`), "", "endpoints"},
		"PeerEndpoints":  {"Each is a tunnel.", "L2Peer", peer(`, endpoints: ` + many(9, "{address: 192.0.2.1}")), "", "endpoints"},
		"PeerTwice":      {"Each once.", "L2Peer", peer(`, endpoints: ` + many(2, "{address: 192.0.2.1}")), "", "Duplicate"},
		"PeerAddress":    {"Where a session can be.", "L2Peer", peer(`, endpoints: [{address: 224.0.0.5}]`), "", "a host can have"},
		"PeerIPv6":       {"So may peers.", "L2Peer", peer(`, endpoints: [{address: "2001:db8::2"}, {address: "fd00::2"}]`), "", ""},
		"FabricIPv6":     {"And fabrics.", "L2Peer", peer(`, type: Fabric, endpoints: [{address: "fd00::2"}], vteps: ["fd00::/64"]`), "", ""},
		"PeerZero":       {"Where a session can be.", "L2Peer", peer(`, endpoints: [{address: "::"}]`), "", "a host can have"},
		"PeerForm":       {"Addresses are compared as text.", "L2Peer", peer(`, endpoints: [{address: "2001:db8:0::1"}]`), "", "usual form"},
		"PeerSelector":   {"Operators are written In, NotIn, Exists and DoesNotExist.", "L2Peer", peer(`, namespaces: {matchExpressions: [{key: a, operator: in, values: [b]}]}`), "", "In, NotIn, Exists"},
		"PeerValues":     {"Exists takes none.", "L2Peer", peer(`, namespaces: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}`), "", "takes none"},
		"PeerLabels":     {"A selector is read for each network.", "L2Peer", peer(`, namespaces: {matchExpressions: ` + many(65, "{key: a, operator: Exists}") + `}`), "", "at most 64"},
		"PeerKey":        {"A key that no label can have.", "L2Peer", peer(`, namespaces: {matchLabels: {` + strings.Repeat("a", 318) + `: c}}`), "", "longer than a label"},
		"PeerMACs":       {"A bound is one.", "L2Peer", peer(`, maxMACs: 65537`), "", "maxMACs"},
		"PeerFloods":     {"None at all is no peer.", "L2Peer", peer(`, floodRate: 0`), "", "floodRate"},
		"PeerPassword":   {"A name.", "L2Peer", peer(`, passwordSecretRef: {name: ""}`), "", "passwordSecretRef"},

		strings.Repeat("p", 64): {"A name that networks can't name.", "L2Peer", peer(``), "", "63 characters"},
	}
	validate(t, c, cases)
}

// An L2Edge asks for WireGuard; its keys go on one generation at a time, and are keys.
func testEncryption(t *testing.T, c client.Client) {
	t.Helper()
	edge := object(t, "L2Edge", v1alpha1.EdgeName, `{nodeSelector: {a: b}, asn: 1, mtu: 1360, encryption: WireGuard}`) // the least
	if err := c.Create(t.Context(), edge); err != nil {
		t.Fatal(err)
	}
	key := publicKey(t)
	status := func(keys string) string { return `{"status":{"nodes":[{"name":"n1","publicKeys":[` + keys + `]}]}}` }
	steps := []struct{ reason, patch, says string }{
		{"The next one, which peers know.", `{"spec":{"keyGeneration":2}}`, ""},
		{"No former one: its keys are gone.", `{"spec":{"keyGeneration":1}}`, "can't be lowered"},
		{"Nor by leaving it out, which is 1.", `{"spec":{"keyGeneration":null}}`, "can't be lowered"},
		{"None that peers do not know yet.", `{"spec":{"keyGeneration":4}}`, "one at a time"},
		{"Again the next one.", `{"spec":{"keyGeneration":3}}`, ""},
		{"Encryption goes and comes.", `{"spec":{"encryption":"None"}}`, ""},
		{"Both keys of a node.", status(`"` + key + `","` + publicKey(t) + `"`), ""},
		{"Two, and no more.", status(`"` + key + `","` + publicKey(t) + `","` + publicKey(t) + `"`), "publicKeys"},
		{"Administrators copy them: they are keys.", status(`"run this"`), "publicKeys"},
	}
	for _, s := range steps {
		write := c.Patch
		if strings.HasPrefix(s.patch, `{"status"`) {
			write = func(ctx context.Context, o client.Object, p client.Patch, _ ...client.PatchOption) error {
				return c.Status().Patch(ctx, o, p)
			}
		}
		err := write(t.Context(), edge.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(s.patch)))
		if (err == nil) != (s.says == "") || err != nil && !strings.Contains(err.Error(), s.says) {
			t.Errorf("%s %s: want an error that says %q, got %v", s.reason, s.patch, s.says, err)
		}
	}
	if err := c.Delete(t.Context(), edge); err != nil {
		t.Fatal(err)
	}
}

// publicKey is one of WireGuard's, as wg pubkey prints it.
func publicKey(t *testing.T) string {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(key.PublicKey().Bytes())
}

// The defaults that an administrator reads back.
func testStretchDefaults(t *testing.T, c client.Client) {
	t.Helper()
	p, e := &v1alpha1.L2Peer{}, &v1alpha1.L2Edge{}
	for u, into := range map[*unstructured.Unstructured]client.Object{
		object(t, "L2Peer", "east", `{asn: 1, vnis: [{first: 1, last: 9}], namespaces: {}, endpoints: [{address: 192.0.2.1}]}`): p,
		object(t, "L2Edge", "default", `{nodeSelector: {a: b}, asn: 1}`):                                                        e,
	} {
		if err := c.Create(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(u), into); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if p.Spec.Type != v1alpha1.PeerCluster || p.Spec.MaxMACs != 1024 || p.Spec.FloodRate != 1000 {
		t.Errorf("got %+v", p.Spec)
	}
	if e.Spec.KeyGeneration != 1 || e.Spec.MTU != 1500 || e.Spec.Encryption != v1alpha1.EncryptionNone {
		t.Errorf("got %+v", e.Spec)
	}
}

// Edges watch the networks that go on somewhere, and no others: one that goes on no longer
// is told to be gone.
func testStretchedAreSelected(t *testing.T, c client.Client, cfg *rest.Config) {
	t.Helper()
	names := map[string]*unstructured.Unstructured{}
	set := func(name, status string) {
		t.Helper()
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"attachments":0,"stretch":`+status+`}}`))
		if err := c.Status().Patch(t.Context(), names[name], patch); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"plain", "one", "two"} {
		names[name] = object(t, "L2Network", name, `{}`)
		if err := c.Create(t.Context(), names[name]); err != nil {
			t.Fatal(err)
		}
	}
	set("one", `{"id":5001,"chassis":"a"}`)
	goOn, of5001 := fields.OneTermNotEqualSelector("status.stretch.id", ""), fields.OneTermEqualSelector("status.stretch.id", "5001")
	if got := selected(t, c, goOn); got != "one" {
		t.Errorf("stretched are %q, want one", got)
	}
	events := watched(t, cfg, goOn)
	set("two", `{"id":5002}`)
	set("one", `{"id":5001,"chassis":"b"}`)
	set("two", `null`)
	set("plain", `null`)
	set("one", `{"id":5003,"chassis":"b"}`)
	want := []string{"ADDED one", "ADDED two", "MODIFIED one", "DELETED two", "MODIFIED one"}
	var got []string
	for range want {
		e := <-events
		got = append(got, string(e.Type)+" "+e.Object.(*v1alpha1.L2Network).Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an edge sees (-want +got):\n%s", diff)
	}
	if got := selected(t, c, of5001); got != "" {
		t.Errorf("5001 is %q's", got)
	}
}

func selected(t *testing.T, c client.Client, by fields.Selector) string {
	t.Helper()
	list := &v1alpha1.L2NetworkList{}
	if err := c.List(t.Context(), list, client.MatchingFieldsSelector{Selector: by}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return strings.Join(names, " ")
}

func watched(t *testing.T, cfg *rest.Config, by fields.Selector) <-chan watch.Event {
	t.Helper()
	c, err := client.NewWithWatch(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.Watch(t.Context(), &v1alpha1.L2NetworkList{}, client.MatchingFieldsSelector{Selector: by})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w.ResultChan()
}
