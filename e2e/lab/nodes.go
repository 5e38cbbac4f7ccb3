package lab

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"text/template"

	"l2sm.io/l2sm/e2e/lab/cgroup"
	"l2sm.io/l2sm/e2e/lab/node"
)

//go:embed config
var configFiles embed.FS

var configs = template.Must(template.ParseFS(configFiles, "config/*"))

// staticPods is where a node's kubelet looks for static pods.
const staticPods = "/var/lib/kubelet/static"

// nodeSettings is what the files of config/ are filled with.
type nodeSettings struct {
	Node             nodePlan
	PKI              string // folder
	Socket           string // of the container runtime
	PauseImage       string
	DNS              string
	ResolvConf       string
	Pods             string // range of all pods
	ProxyKubeconfig  string
	MultusKubeconfig string
	StaticPods       string // folder
	RuntimePrograms  string // folder; empty for those of the machine
	SignaturePolicy  string // which images CRI-O takes
	MTU              int
	Kubernetes       string // minor version, as 1.36
}

// prepareNode writes all that a node reads when it starts.
func (l *Lab) prepareNode(n nodePlan) error {
	f := l.folder(n)
	runtime, err := l.runtime()
	if err != nil {
		return err
	}
	if err := f.Make(); err != nil {
		return err
	}
	settings := nodeSettings{
		Node:             n,
		PKI:              l.path("pki"),
		Socket:           runtime.socket,
		PauseImage:       pauseImage,
		DNS:              dnsIP,
		ResolvConf:       f.Config("resolv.conf"),
		Pods:             podsCIDR,
		ProxyKubeconfig:  l.path("pki", "kube-proxy.kubeconfig"),
		MultusKubeconfig: l.path("pki", "multus.kubeconfig"),
		StaticPods:       staticPods,
		RuntimePrograms:  l.state.RuntimePrograms,
		SignaturePolicy:  f.Config("policy.json"),
		MTU:              mainMTU,
		Kubernetes:       minor(l.state.Version),
	}
	if err := os.MkdirAll(f.Disk(staticPods), 0o755); err != nil {
		return fmt.Errorf("make folder of static pods: %w", err)
	}
	files := map[string]string{
		runtime.config:    f.Config(runtime.config),
		"policy.json":     settings.SignaturePolicy,
		"kubelet.yaml":    f.Config("kubelet.yaml"),
		"kube-proxy.yaml": f.Config("kube-proxy.yaml"),
	}
	network, file := l.network()
	files[network] = filepath.Join(f.Disk("/etc/cni"), "net.d", file)
	for name, path := range files {
		if err := render(name, path, settings); err != nil {
			return fmt.Errorf("configure node %q: %w", n.Name, err)
		}
	}
	if err := os.WriteFile(settings.ResolvConf, []byte("nameserver "+dnsIP+"\n"), 0o644); err != nil {
		return fmt.Errorf("configure node %q: %w", n.Name, err)
	}
	if err := copyFile(l.path("pki", "kubelet-"+n.Name+".kubeconfig"), f.Config("kubelet.kubeconfig")); err != nil {
		return fmt.Errorf("configure node %q: %w", n.Name, err)
	}
	ca, err := os.ReadFile(l.path("pki", "ca.crt"))
	if err != nil {
		return fmt.Errorf("configure node %q: %w", n.Name, err)
	}
	if err := l.installPlugins(filepath.Join(f.Disk("/opt/cni"), "bin")); err != nil {
		return fmt.Errorf("install CNI plugins on node %q: %w", n.Name, err)
	}
	return f.WriteConfig(node.Config{
		Name: n.Name, IP: n.IP, Programs: l.state.Kubernetes, Logs: l.path("log"), API: api, CA: ca,
		Runtime: runtime.service(l.state.RuntimePrograms, f.Config(runtime.config)), Services: !l.mainCNI().services,
	})
}

func render(name, path string, data any) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return configs.ExecuteTemplate(file, name, data)
}

// installPlugins gives a node its own names of the plugins' files.
func (l *Lab) installPlugins(to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	plugins, err := filepath.Glob(filepath.Join(l.state.CNI, "*"))
	if err != nil {
		return err
	}
	for _, name := range l.mainCNI().plugins {
		plugins = append(plugins, filepath.Join(l.state.MainCNIPrograms, name))
	}
	for _, p := range plugins {
		if err := linkOrCopy(p, filepath.Join(to, filepath.Base(p))); err != nil {
			return err
		}
	}
	return nil
}

// startNode starts PID 1 of a node; the rest follows by itself.
func (l *Lab) startNode(n nodePlan) error {
	if err := cgroup.Create(n.Namespace); err != nil {
		return err
	}
	return l.start(process{
		name:      nodeProcess(n),
		namespace: n.Namespace,
		argv:      []string{l.state.Program, "node-init", string(l.folder(n))},
		clone:     syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID,
	})
}

func nodeProcess(n nodePlan) string { return "node-" + n.Name }
