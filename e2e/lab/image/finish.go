package image

import (
	"archive/tar"
	"fmt"
)

// What the packages' scripts would have done on a machine where they can run.

// copies are files of base-passwd that become the system's.
var copies = map[string]string{
	"etc/passwd": "usr/share/base-passwd/passwd.master",
	"etc/group":  "usr/share/base-passwd/group.master",
}

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
	for to, from := range copies {
		source, ok := t.entries[from]
		if !ok {
			return fmt.Errorf("no file %q: is base-passwd among the packages?", from)
		}
		t.add(&tar.Header{Typeflag: tar.TypeReg, Name: to, Mode: 0o644, Size: source.header.Size}, source.open)
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
