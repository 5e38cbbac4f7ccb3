package image

import (
	"fmt"
	"strings"
)

// What the packages' scripts would have done on a machine where they can run.

// accounts are base-passwd's, with what the line of a user of its own adds to each.
var accounts = map[string]struct{ from, line string }{
	"etc/passwd": {"usr/share/base-passwd/passwd.master", "%[1]s:x:%[2]d:%[2]d::/nonexistent:/usr/sbin/nologin\n"},
	"etc/group":  {"usr/share/base-passwd/group.master", "%[1]s:x:%[2]d:\n"},
}

// users are those that programs run as when root starts them.
var users = map[string]struct {
	name string
	id   int
}{
	"usr/bin/tcpdump": {"tcpdump", 100},
}

// authorities are ca-certificates' files, bundle what programs read of them.
const (
	authorities = "usr/share/ca-certificates/"
	bundle      = "etc/ssl/certs/ca-certificates.crt"
)

// nsswitch has names looked up as everywhere: without it /etc/hosts comes last.
const nsswitch = "passwd: files\ngroup: files\nhosts: files dns\nprotocols: files\nservices: files\n"

// alternatives are programs that several packages have under one name, update-alternatives(1).
var alternatives = map[string]string{
	"usr/bin/awk":           "usr/bin/mawk",
	"usr/bin/sh":            "usr/bin/dash",
	"usr/bin/nc":            "usr/bin/nc.openbsd",
	"usr/bin/traceroute":    "usr/bin/traceroute.db",
	"usr/bin/traceroute6":   "usr/bin/traceroute6.db",
	"usr/bin/which":         "usr/bin/which.debianutils",
	"usr/sbin/ovs-vswitchd": "usr/lib/openvswitch-switch/ovs-vswitchd",
}

func finish(t *tree) error {
	if err := addAccounts(t); err != nil {
		return err
	}
	if err := addBundle(t); err != nil {
		return err
	}
	t.addBytes("etc/nsswitch.conf", []byte(nsswitch))
	for to, from := range alternatives {
		if _, ok := t.entries[from]; ok {
			t.addLink(to, "/"+from)
		}
	}
	for _, link := range []string{"bin", "lib", "lib64", "sbin"} { // amd64's dynamic linker is in lib64
		t.addFolder("usr/"+link, 0o755)
		t.addLink(link, "usr/"+link)
	}
	t.addLink("var/run", "/run")
	t.addLink("var/lock", "/run/lock")
	// Those of base-files beside those that the runtime mounts on.
	for _, folder := range []string{"dev", "proc", "run", "run/lock", "sys", "media", "mnt", "opt", "srv", "usr/local/bin", "var/opt"} {
		t.addFolder(folder, 0o755)
	}
	for _, folder := range []string{"tmp", "var/tmp"} {
		t.addFolder(folder, 0o1777)
	}
	return nil
}

func addAccounts(t *tree) error {
	for to, account := range accounts {
		text, err := t.content(account.from)
		if err != nil {
			return fmt.Errorf("%w: is base-passwd among the packages?", err)
		}
		for program, user := range users {
			if _, ok := t.entries[program]; ok {
				text = fmt.Appendf(text, account.line, user.name, user.id)
			}
		}
		t.addBytes(to, text)
	}
	return nil
}

func addBundle(t *tree) error {
	var all []byte
	for _, e := range t.sorted() {
		if name := e.header.Name; strings.HasPrefix(name, authorities) && strings.HasSuffix(name, ".crt") {
			text, err := t.content(name)
			if err != nil {
				return err
			}
			all = append(all, text...)
		}
	}
	if len(all) > 0 {
		t.addBytes(bundle, all)
	}
	return nil
}
