//go:build e2e

package e2e

// Lab only: it wipes OVN's databases.

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A wiped database comes back with the same ports and addresses, from the API
// alone.
func TestWipedDatabases(t *testing.T) {
	const (
		pods     = 10
		networks = 50 // entries of each pod: 500 ports on one network
	)
	whole := newLoneScenario(t)
	whole.pair(nodes(t)[0], nodes(t)[1])
	whole.paperNode()
	var many []string
	for i := range pods {
		many = append(many, pod{name: fmt.Sprintf("many-%d", i), node: paper, networks: strings.TrimSuffix(strings.Repeat("net,", networks), ",")}.String())
	}
	whole.apply(many...)
	whole.eventually("500 ports", func() error {
		return differs(fmt.Sprint(pods*networks+2), whole.kubectl("get", "l2net", "net", "-o", "jsonpath={.status.attachments}"))
	})
	// They are counted when they are accepted, which is before they are written.
	whole.eventually("their ports", func() error {
		return differs(fmt.Sprint(pods*networks+2), fmt.Sprint(strings.Count(whole.northboundPorts(), "\n")))
	})
	for name, database := range map[string]struct{ program, file string }{
		"northbound": {northbound, "/var/lib/ovn/ovnnb_db.db"},
		"southbound": {southbound, "/var/lib/ovn/ovnsb_db.db"},
	} {
		t.Run(name, func(t *testing.T) {
			s := whole.within(t)
			before, bound := s.northboundPorts(), s.boundPorts()
			if n := strings.Count(before, "\n"); n < pods*networks {
				t.Fatalf("want %d ports, there are %d:\n%s", pods*networks, n, before)
			}
			var rebuilt time.Duration
			f := s.breaksFor(readsAnew, func() {
				began := time.Now()
				wipe(t, centralNode(t), database.program, database.file)
				s.eventually("the same ports with the same addresses", func() error { return sameLines(before, s.northboundPorts()) })
				s.eventually("every port bound where it was", func() error { return sameLines(bound, s.boundPorts()) })
				rebuilt = time.Since(began)
				s.stillServes()
			})
			s.report(fmt.Sprintf("%s database wiped with %d ports", name, strings.Count(before, "\n")),
				fmt.Sprintf("pods and their interfaces; rebuilt from the API within %.1f s, same ports and addresses", rebuilt.Seconds()), f)
			s.consistent()
			s.sameChassis()
		})
	}
}

// paperNode is a Node without a machine: pods on it have ports in OVN, and cost
// the machine nothing.
func (s *scenario) paperNode() {
	s.Helper()
	s.apply(fmt.Sprintf("apiVersion: v1\nkind: Node\nmetadata: {name: %[1]s, labels: {kubernetes.io/hostname: %[1]s}}", paper))
	s.Cleanup(func() { s.kubectl("delete", "node", paper) })
}

// wipe removes a database's file on a node and kills its server, which starts empty.
func wipe(t *testing.T, n, program, file string) {
	t.Helper()
	pid := processes(n, program)
	if len(pid) != 1 {
		t.Fatalf("want one %q on %s, there are %v", program, n, pid)
	}
	node(t, n, "sh", "-c", fmt.Sprintf("rm /proc/%[1]s/root%[2]s && kill -KILL %[1]s", pid[0], file))
}

// northboundPorts are the scenario's ports with all that OVN is told of them.
func (s *scenario) northboundPorts() string {
	return s.lines(nbtry("--format=csv", "--data=bare", "--no-headings", "--columns=name,addresses,port_security", "list", "Logical_Switch_Port"))
}

// boundPorts are the scenario's ports with the chassis that each is bound to, by name, and
// the tunnel keys of ports and networks: nodes follow a new database one by one, and must
// mean the same by a key all the while.
func (s *scenario) boundPorts() string {
	out, err := sbtry("--format=csv", "--data=bare", "--no-headings", "--columns=_uuid,name", "list", "Chassis")
	if err != nil {
		return err.Error()
	}
	var names []string
	for line := range strings.Lines(out) {
		uuid, name, _ := strings.Cut(strings.TrimSpace(line), ",")
		names = append(names, uuid, name)
	}
	out, err = sbtry("--format=csv", "--data=bare", "--no-headings", "--columns=logical_port,tunnel_key,mac,chassis,up", "list", "Port_Binding")
	if err != nil {
		return err.Error()
	}
	networks, err := sbtry("--format=csv", "--data=bare", "--no-headings", "--columns=external_ids,tunnel_key", "list", "Datapath_Binding")
	return s.lines(strings.NewReplacer(names...).Replace(out)+networks, err)
}

// lines are those that name the scenario's namespace, sorted. While a database
// is away there are none.
func (s *scenario) lines(out string, err error) string {
	if err != nil {
		return err.Error()
	}
	var own []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "l2sm/"+s.namespace+"/") {
			own = append(own, line)
		}
	}
	return strings.Join(sorted(own), "")
}

// sameLines names the first few lines of a difference.
func sameLines(want, got string) error {
	var differences []string
	for _, side := range []struct{ sign, has, lacks string }{{"missing", want, got}, {"new", got, want}} {
		for line := range strings.Lines(side.has) {
			if !strings.Contains(side.lacks, line) && len(differences) < 5 {
				differences = append(differences, side.sign+" "+strings.TrimSpace(line))
			}
		}
	}
	if len(differences) > 0 {
		return fmt.Errorf("%s", strings.Join(differences, "; "))
	}
	return nil
}
