//go:build integration

package zones_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// Sockets of a zone, in its folder.
const (
	forNorthd     = "northd.sock"
	forController = "chassis.sock"
)

// An empty database would have northd and ovn-controller remove everything: each is
// let in when there is something to read.
func TestZoneOpensWhenItIsFilled(t *testing.T) {
	z := start(t)
	g := NewWithT(t)
	g.Consistently(func() bool { return z.listens(forNorthd) || z.listens(forController) }, time.Second, "50ms").Should(BeFalse(), "an empty zone is open")
	z.nb("ls-add", "l2sm/default/net", "--", "lsp-add", "l2sm/default/net", "l2sm/default/a")
	g.Consistently(z.bindings, time.Second, "50ms").Should(BeEmpty(), "northd translates before all is written")

	z.fill()
	g.Eventually(z.bindings, patience, "50ms").Should(ContainSubstring("l2sm/default/a"))
	g.Eventually(func() bool { return z.listens(forController) }, patience, "50ms").Should(BeTrue(), "ovn-controller is let in")
}

// A pod of ovn-node that takes another's place finds all that was there, and waits
// for nobody.
func TestZoneOutlivesItsPod(t *testing.T) {
	z := start(t)
	g := NewWithT(t)
	z.nb("ls-add", "l2sm/default/net", "--", "lsp-add", "l2sm/default/net", "l2sm/default/a")
	z.fill()
	g.Eventually(func() bool { return z.listens(forController) }, patience, "50ms").Should(BeTrue())
	before := z.bindings()

	z.end()
	g.Expect(z.listens(forNorthd) || z.listens(forController)).To(BeFalse())
	z.startAll()
	g.Eventually(func() bool { return z.listens(forNorthd) && z.listens(forController) }, patience, "50ms").Should(BeTrue(), "open without the agent")
	g.Expect(z.bindings()).To(Equal(before))
	z.nb("lsp-add", "l2sm/default/net", "l2sm/default/b")
	g.Eventually(z.bindings, patience, "50ms").Should(ContainSubstring("l2sm/default/b"), "northd works")
}

// A database that is lost, or that can't be read, starts empty; nothing follows from
// that before it is filled again.
func TestLostDatabases(t *testing.T) {
	for name, lose := range map[string]func(file string) error{
		"Wiped":      os.Remove,
		"Unreadable": func(file string) error { return os.WriteFile(file, []byte("no database"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			z := start(t)
			g := NewWithT(t)
			z.nb("ls-add", "l2sm/default/net", "--", "lsp-add", "l2sm/default/net", "l2sm/default/a")
			z.fill()
			g.Eventually(func() bool { return z.listens(forController) }, patience, "50ms").Should(BeTrue())
			before := z.bindings()
			g.Expect(before).To(ContainSubstring("l2sm/default/a"))

			t.Log("the northbound one: what northd made of it stays")
			z.kill("nb")
			g.Expect(lose(filepath.Join(z.folder(), "ovnnb_db.db"))).To(Succeed())
			z.launch("nb")
			g.Eventually(func() error { return z.try("ovn-nbctl", "show") }, patience, "50ms").Should(Succeed())
			g.Consistently(z.bindings, time.Second, "50ms").Should(Equal(before))
			z.nb("ls-add", "l2sm/default/net", "--", "lsp-add", "l2sm/default/net", "l2sm/default/c")
			z.fill()
			g.Eventually(z.bindings, patience, "50ms").Should(And(ContainSubstring("l2sm/default/c"), Not(ContainSubstring("l2sm/default/a"))))

			t.Log("the southbound one: ovn-controller waits for northd")
			z.kill("northd")
			z.kill("sb")
			g.Expect(lose(filepath.Join(z.folder(), "ovnsb_db.db"))).To(Succeed())
			z.launch("sb")
			g.Consistently(func() bool { return z.listens(forController) }, time.Second, "50ms").Should(BeFalse(), "an empty database is open")
			z.launch("northd")
			g.Eventually(func() bool { return z.listens(forController) }, patience, "50ms").Should(BeTrue())
			g.Expect(z.bindings()).To(ContainSubstring("l2sm/default/c"))
		})
	}
}

// The kubelet's probes say what they are for, and nobody but root gets in.
func TestZoneProbesAndFolder(t *testing.T) {
	z := start(t)
	g := NewWithT(t)
	for name := range parts {
		probe := z.containers[name].StartupProbe.Exec.Command
		g.Eventually(func() error { return z.try(probe...) }, patience, "50ms").Should(Succeed(), "%s: %s", name, strings.Join(probe, " "))
		z.kill(name)
		g.Expect(z.try(probe...)).NotTo(Succeed(), "%s is dead", name)
	}
	folder, err := os.Stat(z.folder())
	if err != nil {
		t.Fatal(err)
	}
	if folder.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the databases has mode %s", folder.Mode())
	}
}
