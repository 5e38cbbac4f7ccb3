//go:build integration

package central_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"l2sm.io/l2sm/internal/pki"
)

// An upgrade from v0.1.0, whose nodes have one certificate of one authority, and
// trust that alone: they are served, with all rights as before, as long as the
// controller says so, beside nodes with certificates of their own.
func TestNodesOfTheFormerVersion(t *testing.T) {
	former := authority(t, "l2sm")
	c := startWith(t, former)
	own, old := c.identity("node-a", c.nodes), c.identity("l2sm", former)
	old.ca = c.write("clients/l2sm/ca.crt", former.Pair().Certificate)
	both := own
	both.ca = c.write("clients/node-a/both.crt", append(c.control.Pair().Certificate, former.Pair().Certificate...))

	c.fill(c.nodes, former)
	c.eventually(func() bool { return c.connects(old, nodesPort) }, "a node of the former version is served")
	c.eventually(func() bool { return c.connects(both, nodesPort) }, "one with a certificate of its own is, beside it")
	for _, port := range []string{northboundPort, relayPort} {
		if c.connects(old, port) {
			t.Errorf("the shared certificate opens port %s", port)
		}
	}
	client, err := c.dial(old, nodesPort)
	if err != nil {
		t.Fatal(err)
	}
	// The certificate names no node, so its chassis is none of the role's.
	c.succeed(client, chassis("node-b", "192.0.2.12")...)

	session := c.stay(old)
	c.trust(c.nodes)
	c.eventually(session.ended, "the last node of the former version is gone: its connection ends")
	c.eventually(func() bool { return c.connects(own, nodesPort) }, "the server shows its own certificate again")
	if c.connects(old, nodesPort) {
		t.Error("the shared certificate is taken after its end")
	}
	client, err = c.dial(own, nodesPort)
	if err != nil {
		t.Fatal(err)
	}
	c.succeed(client, chassis("node-a", "192.0.2.11")...)
	if c.mayDo(client, chassis("node-c", "192.0.2.13")[0]) {
		t.Error("a node writes another's rows after the end")
	}

	// The upgrade is taken back on a node.
	c.trust(c.nodes, former)
	c.eventually(func() bool { return c.connects(old, nodesPort) && c.connects(both, nodesPort) }, "it is served again")
	c.eventually(func() bool {
		client, err := c.dial(old, nodesPort)
		if err != nil {
			return false
		}
		// The connection may end while it is asked.
		answers, err := client.transact(southbound, chassis("node-d", "192.0.2.14")[0], operation{"op": "abort"})
		return err == nil && answers[0].Error == ""
	}, "with all rights again")
	c.kill("sb")
	c.launchDatabase("sb")
	c.eventually(func() bool { return c.connects(old, nodesPort) && c.connects(both, nodesPort) }, "also by a server that was killed")
}

// A certificate of v0.1.0 is worth nothing where the controller does not say so,
// though its authority is still there.
func TestSharedCertificateAlone(t *testing.T) {
	former := authority(t, "l2sm")
	c := startWith(t, former)
	c.fill(c.nodes)
	own, old := c.identity("node-a", c.nodes), c.identity("l2sm", former)
	old.ca = c.write("clients/l2sm/ca.crt", former.Pair().Certificate)
	c.eventually(func() bool { return c.connects(own, nodesPort) }, "a node is let in")
	NewWithT(t).Consistently(func() bool { return c.connects(old, nodesPort) }, time.Second, 50*time.Millisecond).Should(BeFalse())
}

// startWith starts the databases with the certificate that pki makes where there
// is an authority of v0.1.0.
func startWith(t *testing.T, former *pki.Authority) *central {
	t.Helper()
	c := prepare(t)
	server, err := former.Server("ovn-central", []string{c.address}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.write("tls/"+pki.SharedFile, former.Pair().Certificate)
	c.write("tls/shared.crt", server.Certificate)
	c.write("tls/shared.key", server.Key)
	c.startAll()
	return c
}
