package cni

import (
	"encoding/json"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/google/go-cmp/cmp"
)

const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=ping;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=4f2a9c1e-0000-4000-8000-000000000000"

var ping = Pod{Namespace: "default", Name: "ping", UID: "4f2a9c1e-0000-4000-8000-000000000000"}

// request is a good ADD, changed.
func request(change func(*Request)) Request {
	r := Request{
		Command: Add, Container: "4f2a9c1e6f0b", Netns: "/run/netns/cni-1", IfName: "net1", Args: args,
		Config: json.RawMessage(`{"cniVersion":"1.1.0","name":"l2sm","type":"l2sm"}`),
	}
	change(&r)
	return r
}

func encode(t testing.TB, r Request) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDecode(t *testing.T) {
	add := Call{
		Command: Add, Container: "4f2a9c1e6f0b", Netns: "/run/netns/cni-1", IfName: "net1", Pod: ping,
		Config: Config{CNIVersion: "1.1.0", Name: "l2sm"},
	}
	cases := map[string]struct {
		reason  string
		request Request
		want    func(*Call)
	}{
		"Add":   {"the one NetworkAttachmentDefinition names no network", request(func(*Request) {}), func(*Call) {}},
		"Check": {"CHECK is told what ADD was", request(func(r *Request) { r.Command = Check }), func(c *Call) { c.Command = Check }},
		"Network": {"a network's own definition names it; the rest of a configuration is other people's",
			request(func(r *Request) {
				r.Config = json.RawMessage(`{"cniVersion":"1.0.0","name":"ping-network","type":"l2sm","network":{"namespace":"default","name":"ping-network"},"runtimeConfig":{"mac":"x"},"prevResult":{}}`)
			}),
			func(c *Call) {
				c.Config = Config{CNIVersion: "1.0.0", Name: "ping-network", Network: &Network{Namespace: "default", Name: "ping-network"}}
			}},
		"Del": {"DEL may come without a namespace and without a pod: all may be gone",
			request(func(r *Request) { r.Command, r.Netns, r.Args = Del, "", "" }),
			func(c *Call) { c.Command, c.Netns, c.Pod = Del, "", Pod{} }},
		"GC": {"GC is about no container",
			request(func(r *Request) {
				*r = Request{Command: GC, Config: json.RawMessage(`{"cniVersion":"1.1.0","name":"l2sm","cni.dev/valid-attachments":[{"containerID":"c1","ifname":"net1"}]}`)}
			}),
			func(c *Call) {
				*c = Call{Command: GC, Config: Config{CNIVersion: "1.1.0", Name: "l2sm", ValidAttachments: []types.GCAttachment{{ContainerID: "c1", IfName: "net1"}}}}
			}},
		"Status": {"STATUS has nothing but a configuration",
			Request{Command: Status, Config: json.RawMessage(`{"name":"l2sm"}`)},
			func(c *Call) { *c = Call{Command: Status, Config: Config{Name: "l2sm"}} }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := add
			tc.want(&want)
			got, err := Decode(strings.NewReader(encode(t, tc.request)))
			if err != nil {
				t.Fatalf("%s: Decode: %v", tc.reason, err)
			}
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	body := func(change func(*Request)) string { return encode(t, request(change)) }
	good := body(func(*Request) {})
	cases := map[string]struct {
		body string
		code uint
		says string
	}{
		"Nothing":        {"", types.ErrDecodingFailure, "EOF"},
		"NotJSON":        {"ADD please", types.ErrDecodingFailure, "invalid character"},
		"UnknownField":   {strings.Replace(good, `{`, `{"shell":"rm",`, 1), types.ErrDecodingFailure, `"shell"`},
		"Trailing":       {good + `{}`, types.ErrDecodingFailure, "follows"},
		"TooLong":        {`{"args":"` + strings.Repeat("x", maxRequest) + `"}`, types.ErrDecodingFailure, "more than"},
		"NoConfig":       {`{"command":"STATUS"}`, types.ErrDecodingFailure, "network configuration"},
		"ConfigNotAMap":  {body(func(r *Request) { r.Config = json.RawMessage(`[]`) }), types.ErrDecodingFailure, "network configuration"},
		"NoName":         {body(func(r *Request) { r.Config = json.RawMessage(`{}`) }), types.ErrInvalidNetworkConfig, "name"},
		"BadName":        {body(func(r *Request) { r.Config = json.RawMessage(`{"name":"a b"}`) }), types.ErrInvalidNetworkConfig, `"a b"`},
		"HalfNetwork":    {body(func(r *Request) { r.Config = json.RawMessage(`{"name":"a","network":{"name":"a"}}`) }), types.ErrInvalidNetworkConfig, "namespace"},
		"UnknownCommand": {body(func(r *Request) { r.Command = "EXEC" }), types.ErrInvalidEnvironmentVariables, "EXEC"},
		"BadContainer":   {body(func(r *Request) { r.Container = "../x" }), types.ErrInvalidEnvironmentVariables, "../x"},
		"LongInterface":  {body(func(r *Request) { r.IfName = "sixteencharacter" }), types.ErrInvalidEnvironmentVariables, "sixteencharacter"},
		"RelativeNetns":  {body(func(r *Request) { r.Netns = "run/netns/x" }), types.ErrInvalidEnvironmentVariables, "run/netns/x"},
		"NoPod":          {body(func(r *Request) { r.Args = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=ping" }), types.ErrInvalidEnvironmentVariables, "K8S_POD_UID"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(strings.NewReader(tc.body))
			var e *types.Error
			if !errors.As(err, &e) {
				t.Fatalf("Decode = %v, want a CNI error", err)
			}
			if e.Code != tc.code || !strings.Contains(e.Msg, tc.says) {
				t.Errorf("Decode gave code %d, %q; want code %d and a message that says %q", e.Code, e.Msg, tc.code, tc.says)
			}
		})
	}
}

// What Decode lets through can be used without another look.
func FuzzDecode(f *testing.F) {
	for _, change := range []func(*Request){
		func(*Request) {},
		func(r *Request) { r.Command, r.Netns, r.Args = Del, "", "" },
		func(r *Request) { r.Command, r.Args = Check, args+";;=;K8S_POD_UID=" },
		func(r *Request) { r.Config = json.RawMessage(`{"name":"n","network":{"namespace":"a","name":"b"}}`) },
		func(r *Request) {
			*r = Request{Command: GC, Config: json.RawMessage(`{"name":"n","cni.dev/valid-attachments":[{"containerID":"c"}]}`)}
		},
		func(r *Request) { *r = Request{Command: Status, Config: json.RawMessage(`null`)} },
	} {
		f.Add(encode(f, request(change)))
	}
	f.Add(`{"command":"ADD","config":`)
	f.Add("{}{}")
	f.Fuzz(func(t *testing.T, body string) {
		call, err := Decode(strings.NewReader(body))
		if err != nil {
			var e *types.Error
			if !errors.As(err, &e) || e.Code == 0 || e.Msg == "" {
				t.Errorf("Decode(%q) = %#v, want a CNI error with a code and a message", body, err)
			}
			return
		}
		if call.Config.Name == "" || strings.ContainsAny(call.Config.Name+call.Container+call.IfName, " /\n") {
			t.Errorf("Decode(%q) let names through that break a path or an alias: %+v", body, call)
		}
		needsSandbox := call.Command == Add || call.Command == Check
		if needsSandbox && (!path.IsAbs(call.Netns) || call.Pod.UID == "" || call.Container == "" || call.IfName == "") {
			t.Errorf("Decode(%q) let an %s through that says not what or where: %+v", body, call.Command, call)
		}
	})
}
