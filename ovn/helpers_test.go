package ovn_test

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/ovn"
	"l2sm.io/l2sm/ovn/ovntest"
)

// patience bounds every wait of a test.
const patience = 10 * time.Second

// dial returns a client of the servers that ends with the test.
func dial(t testing.TB, servers ...*ovntest.Server) *ovn.Client {
	t.Helper()
	return dialConfig(t, ovn.Config{Endpoints: endpoints(servers...)})
}

func endpoints(servers ...*ovntest.Server) []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Endpoint())
	}
	return all
}

func dialConfig(t testing.TB, cfg ovn.Config) *ovn.Client {
	t.Helper()
	c, err := ovn.Dial(context.Background(), cfg)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// apply applies a network that must be applicable.
func apply(t testing.TB, c *ovn.Client, n ovn.Network) ovn.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	result, err := c.Apply(ctx, n)
	if err != nil {
		t.Fatalf("Apply(%s): %v", n.Key, err)
	}
	return result
}

// network returns a network in the namespace default.
func network(name string, ports ...ovn.Port) ovn.Network {
	return ovn.Network{
		Key:   ovn.Key{Namespace: "default", Name: name},
		UID:   "uid-of-" + name,
		Ports: ports,
	}
}

// port returns a port of the i-th of many attachments.
func port(i int) ovn.Port {
	mac := fmt.Sprintf("0a:58:0a:65:%02x:%02x", i/256, i%256)
	ip := fmt.Sprintf("10.101.%d.%d", i/256, i%256)
	return ovn.Port{
		Name:         fmt.Sprintf("l2sm/default/pod-%d", i),
		Owner:        fmt.Sprintf("uid-of-attachment-%d", i),
		Addresses:    []string{mac + " " + ip},
		PortSecurity: []string{mac + " " + ip + "/16"},
	}
}

func ports(count int) []ovn.Port {
	var all []ovn.Port
	for i := range count {
		all = append(all, port(i))
	}
	return all
}

// guarded is the network with what its ports may not send.
func guarded(n ovn.Network) ovn.Network {
	n.Guard, n.Tags = "udp.src == 67", true
	return n
}

// permitted is the port with leave to send all of that.
func permitted(p ovn.Port) ovn.Port {
	p.Permit = "1"
	return p
}

func names(ports ...ovn.Port) []string {
	var names []string
	for _, p := range ports {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

var listed = regexp.MustCompile(`\((.*)\)`)

// portsOn returns the names of a switch's ports, as ovn-nbctl reads them.
func portsOn(s *ovntest.Server, sw string) []string {
	var names []string
	for _, match := range listed.FindAllStringSubmatch(s.Ctl("lsp-list", sw), -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return names
}

// switches returns the names of all switches, as ovn-nbctl reads them.
func switches(s *ovntest.Server) []string {
	var names []string
	for _, match := range listed.FindAllStringSubmatch(s.Ctl("ls-list"), -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return names
}

// awaitChange takes changes until the wanted one comes, and returns those
// before it.
func awaitChange(t testing.TB, c *ovn.Client, want ovn.Change) []ovn.Change {
	t.Helper()
	var before []ovn.Change
	deadline := time.After(patience)
	for {
		select {
		case got, open := <-c.Changes():
			if got == want {
				return before
			}
			if !open {
				t.Fatalf("Changes was closed before %+v came", want)
			}
			before = append(before, got)
		case <-deadline:
			t.Fatalf("no change %+v in %s, only %+v", want, patience, before)
		}
	}
}

// awaitConnected waits for the client's connection.
func awaitConnected(t testing.TB, c *ovn.Client) {
	t.Helper()
	NewWithT(t).Eventually(c.Connected, patience, time.Millisecond).Should(BeTrue(), "client has no connection")
}

// listen returns a listener that is no ovsdb-server.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
