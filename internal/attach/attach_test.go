package attach

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	own       = "l2sm.io/networks"
	theirs    = "l2sm/networks"
	multusKey = "k8s.v1.cni.cncf.io/networks"
)

func pod(annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ping", Annotations: annotations}}
}

// brief is a request in one line: network, interface, addresses, MAC.
func brief(requests []Request) []string {
	var lines []string
	for _, r := range requests {
		words := []string{r.Network.String(), r.Interface}
		for _, ip := range r.IPs {
			words = append(words, ip.String())
		}
		for _, s := range []string{r.MAC, string(r.PortSecurity)} {
			if s != "" {
				words = append(words, s)
			}
		}
		for _, role := range r.Roles {
			words = append(words, string(role))
		}
		if r.Err != nil {
			words = append(words, "refused")
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

func TestParse(t *testing.T) {
	cases := map[string]struct {
		reason      string
		annotations map[string]string
		own         []string
		multus      []string
	}{
		"Nothing": {
			reason: "A pod without annotations asks for nothing.",
		},
		"Plain": {
			reason:      "Names without a namespace mean the pod's own.",
			annotations: map[string]string{own: "ping-network, other-ns/lab,third@net7"},
			own:         []string{"default/ping-network net1", "other-ns/lab net2", "default/third net7"},
		},
		"JSON": {
			reason: "Everything can be asked for in JSON, and comes back in canonical form.",
			annotations: map[string]string{own: `[{"name": "n", "namespace": "x", "ips": ["10.101.2.10/16", "fd10:101:0::10"],
				"mac": "0A:58:0A:65:02:0A", "interface": "net5", "portSecurity": "MAC", "roles": ["Router", "DHCPServer", "Router"]}]`},
			own: []string{"x/n net5 10.101.2.10/16 fd10:101::10 0a:58:0a:65:02:0a MAC DHCPServer Router"},
		},
		"L2SM": {
			reason:      "L2S-M's annotation is read the same way.",
			annotations: map[string]string{theirs: `[{"name": "v-network-1", "ips": ["10.0.1.1/24"]}, {"name": "v-network-2"}]`},
			own:         []string{"default/v-network-1 net1 10.0.1.1/24", "default/v-network-2 net2"},
		},
		"EmptyJSON": {
			reason:      "An empty list asks for nothing.",
			annotations: map[string]string{own: "[]"},
		},
		"BehindOthers": {
			reason:      "Multus names interfaces by position, so ours start at our entry's.",
			annotations: map[string]string{own: "a,b", multusKey: "macvlan,l2sm-system/l2sm"},
			own:         []string{"default/a net2", "default/b net3"},
			multus:      []string{"default/macvlan net1"},
		},
		"BeforeOthers": {
			reason:      "Names that a later Multus entry holds are skipped.",
			annotations: map[string]string{own: "a,b", multusKey: `[{"name":"l2sm","namespace":"l2sm-system"},{"name":"macvlan"}]`},
			own:         []string{"default/a net1", "default/b net3"},
			multus:      []string{"default/macvlan net2"},
		},
		"PolicyMissing": {
			reason:      "Without our entry in the Multus annotation ours follow all others.",
			annotations: map[string]string{own: "a", multusKey: "m1,m2@net3"},
			own:         []string{"default/a net4"},
			multus:      []string{"default/m1 net1", "default/m2 net3"},
		},
		"MultusOnly": {
			reason:      "The Multus annotation alone can ask, with addresses and a MAC.",
			annotations: map[string]string{multusKey: `[{"name":"n","ips":["10.0.0.7/24"],"mac":"02:00:00:00:00:07","interface":"data0"}]`},
			multus:      []string{"default/n data0 10.0.0.7/24 02:00:00:00:00:07"},
		},
		"OursNamedLikeAnother": {
			reason:      "A later entry that asks for the name at our position keeps it.",
			annotations: map[string]string{own: "a", multusKey: "l2sm-system/l2sm,m@net1"},
			own:         []string{"default/a net2"},
			multus:      []string{"default/m net1"},
		},
		"OthersArgs": {
			reason:      "What another plugin's entry carries does not matter to ours: Parse does not know whose an entry is.",
			annotations: map[string]string{own: "a", multusKey: `[{"name":"sriov","cni-args":{"vlan":"12"},"mac":"00:11:22:33:44:55:66:77","interface":"eth0"},{"name":"l2sm","namespace":"l2sm-system"}]`},
			own:         []string{"default/a net2"},
			multus:      []string{"default/sriov eth0 refused"},
		},
		"OthersTwice": {
			reason:      "Nor that two entries of others have one interface name.",
			annotations: map[string]string{own: "a", multusKey: "m1@x,m2@x"},
			own:         []string{"default/a net3"},
			multus:      []string{"default/m1 x refused", "default/m2 x refused"},
		},
		"NoNetworksName": {
			reason:      "An entry that can name no L2Network is not ours, and still holds its interface's name.",
			annotations: map[string]string{own: "a", multusKey: `[{"name":"Not_Ours","interface":"net2"}]`},
			own:         []string{"default/a net3"},
		},
		"EmptyFields": {
			reason:      "Tools write empty fields: they ask for nothing.",
			annotations: map[string]string{multusKey: `[{"name":"n","portMappings":[],"bandwidth":null,"cni-args":{},"ipam-claim-reference":"","Default-Route":["10.0.0.1"]}]`},
			multus:      []string{"default/n net1"},
		},
		"ExplicitFirst": {
			reason:      "A name that an entry asks for is not given to another.",
			annotations: map[string]string{own: "a, b@net1, c"},
			own:         []string{"default/a net2", "default/b net1", "default/c net3"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(pod(tc.annotations))
			if err != nil {
				t.Fatalf("%s\nParse: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.own, brief(got.Own)); diff != "" {
				t.Errorf("%s\nOwn: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.multus, brief(got.Multus)); diff != "" {
				t.Errorf("%s\nMultus: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]struct {
		annotations map[string]string
		says        string
	}{
		"BothAnnotations":  {map[string]string{own: "a", theirs: "b"}, "keep one"},
		"EmptyEntry":       {map[string]string{own: "a,,b"}, "entry 2 is empty"},
		"NoNamespace":      {map[string]string{own: "/a"}, "no namespace"},
		"NoInterface":      {map[string]string{own: "a@"}, "no interface"},
		"BadName":          {map[string]string{own: "Ping_Network"}, `"Ping_Network"`},
		"BadNamespace":     {map[string]string{own: "a.b/c"}, `namespace "a.b"`},
		"TwoSlashes":       {map[string]string{own: "a/b/c"}, `"b/c"`},
		"Object":           {map[string]string{own: `{"name":"a"}`}, "brackets"},
		"BrokenJSON":       {map[string]string{own: `[{"name":`}, "not a JSON list"},
		"TrailingJSON":     {map[string]string{own: `[{"name":"a"}] b`}, "behind the JSON"},
		"UnknownField":     {map[string]string{own: `[{"name":"a","ip":"10.0.0.1"}]`}, `"ip"`},
		"WrongType":        {map[string]string{own: `[{"name":"a","ips":"10.0.0.1"}]`}, "ips"},
		"BadIP":            {map[string]string{own: `[{"name":"a","ips":["10.0.0"]}]`}, `ip "10.0.0"`},
		"BadPrefix":        {map[string]string{own: `[{"name":"a","ips":["10.0.0.1/33"]}]`}, `ip "10.0.0.1/33"`},
		"MulticastIP":      {map[string]string{own: `[{"name":"a","ips":["224.0.0.1"]}]`}, "unicast"},
		"TwoOfAFamily":     {map[string]string{own: `[{"name":"a","ips":["10.0.0.1","10.0.0.2"]}]`}, "one family"},
		"BadMAC":           {map[string]string{own: `[{"name":"a","mac":"02:00"}]`}, `mac "02:00"`},
		"MulticastMAC":     {map[string]string{own: `[{"name":"a","mac":"01:00:00:00:00:01"}]`}, "unicast"},
		"BadSecurity":      {map[string]string{own: `[{"name":"a","portSecurity":"None"}]`}, "Strict, MAC or Disabled"},
		"BadRole":          {map[string]string{own: `[{"name":"a","roles":["King"]}]`}, "Router or DHCPServer"},
		"ReservedName":     {map[string]string{own: "a@eth0"}, "take another name"},
		"LongName":         {map[string]string{own: "a@sixteencharacter"}, "Linux takes 15"},
		"SlashInInterface": {map[string]string{own: `[{"name":"a","interface":"a/b"}]`}, "slash"},
		"UpAndAway":        {map[string]string{own: `[{"name":"a","interface":"../x"}]`}, "slash"},
		"NetTemplate":      {map[string]string{own: `[{"name":"a","interface":"net%d"}]`}, "percent"},
		"SameInterface":    {map[string]string{own: "a@x,b@x"}, "twice"},
		"HeldInterface":    {map[string]string{own: "a@net1", multusKey: "m"}, "held by an entry"},
		"MultusBroken":     {map[string]string{multusKey: `[{"name":`}, multusKey},
		"Null":             {map[string]string{own: `[{"name":"a"},null]`}, "entry 2 is null"},
		"List":             {map[string]string{own: `[[]]`}, "entry 1 is a list"},
		"Number":           {map[string]string{own: `[1]`}, "entry 1 is a number"},
		"String":           {map[string]string{own: `["a"]`}, "entry 1 is a string"},
		"Boolean":          {map[string]string{own: `[true]`}, "entry 1 is a boolean"},
		"EmptyObject":      {map[string]string{own: `[{}]`}, `entry 1: name ""`},
		"NullName":         {map[string]string{own: `[{"name":null}]`}, `entry 1: name ""`},
		"HalfList":         {map[string]string{own: `[{"name":"a"}`}, "not a JSON list"},
		"YAML":             {map[string]string{own: "- lab\n- other\n"}, `[{"name": "lab"`},
		"YAMLObjects":      {map[string]string{own: "- name: lab"}, "YAML"},
		"Spaces":           {map[string]string{own: "lab other"}, "lab, other-ns/lab@net1"},
		"ZeroHost":         {map[string]string{own: `[{"name":"a","ips":["10.0.0.0/8"]}]`}, "zero host part"},
		"MappedIP":         {map[string]string{own: `[{"name":"a","ips":["::ffff:10.0.0.1"]}]`}, "::/8"},
		"ZonedIP":          {map[string]string{own: `[{"name":"a","ips":["fe80::1%eth0"]}]`}, "zone"},
		"ManyIPs":          {map[string]string{own: `[{"name":"a","ips":["10.0.0.1","fd00::1","10.0.0.2"]}]`}, "at most one of each"},
		"ZeroMAC":          {map[string]string{own: `[{"name":"a","mac":"00:00:00:00:00:00"}]`}, "unicast"},
		"BroadcastMAC":     {map[string]string{own: `[{"name":"a","mac":"ff:ff:ff:ff:ff:ff"}]`}, "unicast"},
		"All":              {map[string]string{own: "a@all"}, "take another name"},
		"Default":          {map[string]string{own: "a@default"}, "take another name"},
		"Dots":             {map[string]string{own: "a@.."}, "take another name"},
		"Template":         {map[string]string{own: "a@x%d"}, "percent"},
		"SixteenBytes":     {map[string]string{own: "a@\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"}, "16 bytes"},
		"NotASCII":         {map[string]string{own: "a@\u00e0"}, "ASCII"},
		"Control":          {map[string]string{own: `[{"name":"a","interface":"a\u0001"}]`}, "ASCII"},
		"MultusNull":       {map[string]string{multusKey: `[null]`}, "entry 1 is null"},
		"MultusNullSecond": {map[string]string{multusKey: `[{"name":"a"},null]`}, "entry 2 is null"},
		"MultusList":       {map[string]string{multusKey: `[[]]`}, "entry 1 is a list"},
		"MultusNumber":     {map[string]string{multusKey: `[7]`}, "entry 1 is a number"},
		"MultusString":     {map[string]string{multusKey: `["a"]`}, "entry 1 is a string"},
		"MultusObject":     {map[string]string{multusKey: `{"name":"a"}`}, "brackets"},
		"MultusBareString": {map[string]string{multusKey: `"a"`}, "not a JSON list"},
		"MultusName":       {map[string]string{multusKey: `[{"name":7}]`}, "entry 1"},
		"MultusNoName":     {map[string]string{multusKey: "a,,b"}, "entry 2 is empty"},
		"MultusSlashes":    {map[string]string{multusKey: "a/b/c"}, "entry 1"},
		"MultusAts":        {map[string]string{multusKey: "a@b@c"}, "entry 1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(pod(tc.annotations))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("Parse(%v): want a SyntaxError that says %q, got %v", tc.annotations, tc.says, err)
			}
		})
	}
}

func TestEntryIsCanonical(t *testing.T) {
	plain, err := Parse(pod(map[string]string{own: "a"}))
	if err != nil {
		t.Fatal(err)
	}
	full, err := Parse(pod(map[string]string{own: `[ {"namespace":"default", "name":"a"} ]`}))
	if err != nil {
		t.Fatal(err)
	}
	if plain.Own[0].Entry != full.Own[0].Entry {
		t.Errorf("equal wishes have different entries: %s and %s", plain.Own[0].Entry, full.Own[0].Entry)
	}
}

func TestName(t *testing.T) {
	const uid = types.UID("4f2a9c1e-0000-4000-8000-000000000000")
	long := strings.Repeat("a", 253)
	cases := map[string]struct {
		reason, pod, iface, want string
	}{
		"Usual":     {"Pod, interface and eight digits of the UID.", "ping", "net1", "ping-net1-4f2a9c1e"},
		"Dots":      {"A pod's name may hold dots.", "db.0", "net1", "db.0-net1-4f2a9c1e"},
		"Uppercase": {"An interface's name that no object may carry keeps apart by a digest.", "ping", "Net_1", "ping-net-1-" + digest("Net_1") + "-4f2a9c1e"},
		"Long":      {"A long pod name is cut and keeps apart by a digest.", long, "net1", long[:253-9-14] + "-" + digest(long) + "-net1-4f2a9c1e"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Name(tc.pod, uid, tc.iface)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s -want, +got:\n%s", tc.reason, diff)
			}
			if bad := validation.IsDNS1123Subdomain(got); len(bad) > 0 {
				t.Errorf("%s: %q is no object name: %v", tc.reason, got, bad)
			}
		})
	}
}

// What an entry of the Multus annotation can't have is said of that entry: Parse
// does not know whether it is ours or another plugin's.
func TestMultusEntryRefused(t *testing.T) {
	cases := map[string]struct {
		reason, multus string
		says           string
	}{
		"BadIP":         {"An address that is none.", `[{"name":"n","ips":["ten"]}]`, `ip "ten"`},
		"WrongType":     {"Multus can't read it either, and says less.", `[{"name":"n","ips":"10.0.0.1"}]`, "ips"},
		"BadMAC":        {"A group's MAC.", `[{"name":"n","mac":"01:00:5e:00:00:01"}]`, "unicast"},
		"Interface":     {"A name that belongs to another.", `[{"name":"n","interface":"eth0"}]`, "take another name"},
		"PortMappings":  {"Multi-net-spec v1.3 4.1.2: it fails where it is not supported.", `[{"name":"n","portMappings":[{"hostPort":18080,"containerPort":80}]}]`, "portMappings"},
		"Bandwidth":     {"A limit that is not kept is worse than none.", `[{"name":"n","bandwidth":{"ingressRate":1000000}}]`, "bandwidth"},
		"GUID":          {"Ethernet has none.", `[{"name":"n","infiniband-guid":"c2:11:22:33:44:55:66:77"}]`, "infiniband-guid"},
		"CNIArgs":       {"No argument of ours is known.", `[{"name":"n","cni-args":{"vlan":"12"}}]`, "cni-args"},
		"Claim":         {"An L2Attachment is what keeps addresses here.", `[{"name":"n","ipam-claim-reference":"vm1.net1"}]`, "ipam-claim-reference"},
		"Typo":          {"A misspelt field is one that is not served.", `[{"name":"n","ip":["10.134.0.77"]}]`, `"ip"`},
		"OtherCase":     {"JSON's field names are read in any case.", `[{"name":"n","PortMappings":[{}]}]`, "portMappings"},
		"SameTwice":     {"Linux has one interface of a name.", `n@x,b@x`, `entries 1 and 2 both ask for interface "x"`},
		"SameByPlace":   {"Multus calls the second net2 by its place.", `n@net2,b`, `entries 1 and 2 both ask for interface "net2"`},
		"SameAcross":    {"Entries between the two do not matter.", `n@x,b,l2sm-system/l2sm,c@x`, `entries 1 and 4 both ask for interface "x"`},
		"DotsInPlain":   {"Multus reads no dots in a plain list: JSON does.", `n.b.c`, `[{"name": "n.b.c"}]`},
		"UpperInPlain":  {"Nor upper case in an interface's name.", `n@Data0`, "JSON"},
		"LongInterface": {"Linux takes 15 bytes.", `[{"name":"n","interface":"sixteencharacter"}]`, "Linux takes 15"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			requests, err := Parse(pod(map[string]string{multusKey: tc.multus, own: "mine"}))
			if err != nil {
				t.Fatalf("%s\nParse: %v", tc.reason, err)
			}
			var syntax *SyntaxError
			if err := requests.Multus[0].Err; !errors.As(err, &syntax) || syntax.Annotation != multusKey || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s\nwant a SyntaxError of %s that says %q, got %v", tc.reason, multusKey, tc.says, err)
			}
			if requests.Multus[0].Network.Namespace != "default" || requests.Own[0].Err != nil {
				t.Errorf("%s\nthe entry keeps its network, and others are served: %+v", tc.reason, requests)
			}
		})
	}
}

func TestEnded(t *testing.T) {
	for phase, want := range map[corev1.PodPhase]bool{corev1.PodPending: false, corev1.PodRunning: false, corev1.PodUnknown: false, corev1.PodSucceeded: true, corev1.PodFailed: true} {
		if got := Ended(&corev1.Pod{Status: corev1.PodStatus{Phase: phase}}); got != want {
			t.Errorf("phase %s: got %t", phase, got)
		}
	}
}
