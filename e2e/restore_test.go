//go:build e2e || conformance

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A backup of all objects is brought back into an empty namespace as Velero
// does it: pods first, then the rest by kind, without status, owners and UIDs.
// Persistent attachments bind to the pods of their names with the MAC addresses
// and the addresses that they had.
func TestRestoreFromABackup(t *testing.T) {
	s := newScenario(t)
	s.apply(network("net", "10.200.0.0/24", "fd20:200::/64"), network("pure"),
		attachment("db", "db-0", "net", ""),
		attachment("guest", "vm", "net", ", interface: data0, macAddress: '02:00:00:00:00:0a', addresses: ['10.200.0.77/24']"),
		attachment("waits", "not-yet", "net", ""),
		pod{name: "db-0", node: nodes(t)[0]}.String(),
		pod{name: "vm", node: nodes(t)[1], networks: "net@data0"}.String(),
		pod{name: "static", node: nodes(t)[1], networks: static("net", "10.200.0.88", "fd20:200::88")}.String(),
		pod{name: "peer", node: nodes(t)[2], networks: "net, pure"}.String())
	pods := []string{"db-0", "vm", "static", "peer"}
	s.ready(pods...)
	for _, name := range []string{"db", "guest"} {
		s.attached(name)
	}
	s.says("10.200.0.", "get", "l2att", "waits", "-o", "jsonpath={.spec.addresses}")
	identity := func() string {
		return s.kubectl("get", "l2att", "db", "guest", "waits", "-o",
			`jsonpath={range .items[*]}{.metadata.name} {.spec.podName} {.spec.interface} {.spec.macAddress} {.spec.addresses}{"\n"}{end}`)
	}
	before := identity()

	var backup []string
	for _, kind := range []string{"pods", "l2attachments", "l2networks", "network-attachment-definitions"} {
		backup = append(backup, s.backup(kind)...)
	}
	if out, err := kubectl("delete", "namespace", s.namespace, "--timeout=80s"); err != nil {
		t.Fatalf("delete namespace: %v\n%s", err, out)
	}
	s.expectNoTrace()
	if out, err := createNamespace(s.namespace); err != nil {
		t.Fatalf("create namespace: %v\n%s", err, out)
	}
	for _, object := range backup {
		out, err := kubectlInput(object, "-n", s.namespace, "create", "-f", "-")
		if err != nil && !strings.Contains(out, "already exists") { // a network's definition is
			t.Fatalf("restore: %v\n%s\n%s", err, out, object)
		}
	}

	s.ready(pods...)
	for _, name := range []string{"db", "guest"} {
		s.attached(name)
	}
	s.says("False:NoPod", "get", "l2att", "waits", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}:{.status.conditions[?(@.type=="Ready")].reason}`)
	if after := identity(); after != before {
		s.Errorf("attachments were\n%s\nand are\n%s", before, after)
	}
	s.links("db-0", "net1")
	s.links("vm", "data0")
	s.links("static", "net1")
	s.links("peer", "net1", "net2")
	s.eventually("no attachment but those of the pods", func() error {
		return differs("6", fmt.Sprint(len(strings.Fields(s.kubectl("get", "l2att", "-o", "name")))))
	})
	for _, to := range []string{s.address("db-0", "net1", 4), s.address("db-0", "net1", 6), "10.200.0.77", "10.200.0.88", "fd20:200::88"} {
		s.reaches("peer", to)
	}
	s.auditNamesNothing("a backup is restored")
}

// backup is all objects of a kind as a backup brings them back.
func (s *scenario) backup(kind string) []string {
	s.Helper()
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(s.kubectl("get", kind, "-o", "json")), &list); err != nil {
		s.Fatalf("read %s: %v", kind, err)
	}
	var all []string
	for _, object := range list.Items {
		delete(object, "status")
		meta, _ := object["metadata"].(map[string]any)
		kept := map[string]any{}
		for _, key := range []string{"name", "namespace", "labels", "annotations"} {
			if value, has := meta[key]; has {
				kept[key] = value
			}
		}
		object["metadata"] = kept
		if spec, is := object["spec"].(map[string]any); is && kind == "pods" {
			delete(spec, "nodeName") // it is scheduled again
		}
		text, err := json.Marshal(object)
		if err != nil {
			s.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}
