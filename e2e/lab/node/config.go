// Package node is a node of the local cluster from the inside: PID 1 of its own mount, UTS, IPC, PID and network
// namespaces. It sets up a machine's file systems, starts containerd, kubelet and kube-proxy, and starts again
// what ends, as an init system does.
package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// private are the folders that every node has for itself; all others are the machine's. They are what a kubelet,
// containerd, CNI plugins and the hostPath volumes of l2sm and Multus write to. /run is not among them: it is a fresh
// tmpfs, empty after each start of the node as after a boot.
var private = []string{
	"/etc/cni", "/opt/cni",
	"/var/lib/cni", "/var/lib/containerd", "/var/lib/containers", "/var/lib/crio", "/var/lib/kubelet", "/var/lib/l2sm", "/var/lib/ovn-kubernetes",
	"/var/log/containers", "/var/log/pods",
}

// Config is what PID 1 of a node is told. It is written by `lab up` as init.json into the node's folder.
type Config struct {
	Name     string
	IP       string // the InternalIP
	Programs string // folder that holds kubelet and kube-proxy
	Logs     string // folder for the logs of what runs on the node
	API      string // the API server, https://host:port
	CA       []byte // who signs its certificate, PEM
	Runtime  Runtime
	Services bool // kube-proxy runs; otherwise the main network does its work
}

// Runtime is the container runtime of a node.
type Runtime struct {
	Name   string // of its log
	Argv   []string
	Path   string // folder of programs that it calls, before those of the machine; empty if it has none
	Socket string
}

// Folder is a node's folder on the machine.
type Folder string

// Disk is where a folder that is private to the node really lies. It outlives a stop of the node, as a disk does.
func (f Folder) Disk(path string) string { return filepath.Join(string(f), "disk", path) }

// Config is the path of a configuration file of one of the node's programs.
func (f Folder) Config(name string) string { return filepath.Join(string(f), "config", name) }

// Make creates what Disk and Config point to.
func (f Folder) Make() error {
	folders := []string{filepath.Dir(f.Config("x"))}
	for _, p := range private {
		folders = append(folders, f.Disk(p))
	}
	for _, dir := range folders {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make node folder: %w", err)
		}
	}
	return nil
}

// WriteConfig stores the configuration for Run.
func (f Folder) WriteConfig(c Config) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode configuration of node %q: %w", c.Name, err)
	}
	return os.WriteFile(f.Config("init.json"), data, 0o644)
}

func (f Folder) readConfig() (Config, error) {
	var c Config
	data, err := os.ReadFile(f.Config("init.json"))
	if err != nil {
		return c, fmt.Errorf("read node configuration: %w", err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("decode node configuration: %w", err)
	}
	return c, nil
}
