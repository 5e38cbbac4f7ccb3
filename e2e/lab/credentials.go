package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"l2sm.io/l2sm/e2e/lab/pki"
)

// identities are who takes part in a cluster, by the name of their files in its pki folder. Those that are clients of the
// API server get a kubeconfig beside them.
func identities(p plan) (all map[string]pki.Identity, clients []string) {
	all = map[string]pki.Identity{
		"apiserver": {
			Name: "kube-apiserver",
			IPs:  []string{apiIP, serviceIP, "127.0.0.1"},
			DNS:  []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"},
		},
		"apiserver-kubelet":       {Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
		"front-proxy":             {Name: "front-proxy"},
		"service-accounts":        {Name: "service-accounts"},
		"admin":                   {Name: "admin", Groups: []string{"system:masters"}},
		"kube-controller-manager": {Name: "system:kube-controller-manager"},
		"kube-scheduler":          {Name: "system:kube-scheduler"},
		"kube-proxy":              {Name: "system:kube-proxy"},
		"multus":                  {Name: "multus"}, // bound to its role in manifests/overlays/multus
	}
	clients = []string{"admin", "kube-controller-manager", "kube-scheduler", "kube-proxy", "multus"}
	for _, n := range p.Nodes {
		name := "kubelet-" + n.Name
		all[name] = pki.Identity{
			Name:   "system:node:" + n.Name,
			Groups: []string{"system:nodes"},
			IPs:    []string{n.IP},
			DNS:    []string{n.Name},
		}
		clients = append(clients, name)
	}
	return all, clients
}

// writeCredentials fills the pki folder.
func (l *Lab) writeCredentials() error {
	folder := l.path("pki")
	ca, err := pki.New("lab " + l.plan.Name)
	if err != nil {
		return err
	}
	if err := ca.Write(folder, "ca"); err != nil {
		return err
	}
	all, clients := identities(l.plan)
	for name, id := range all {
		pair, err := ca.Issue(id)
		if err != nil {
			return err
		}
		if err := pair.Write(folder, name); err != nil {
			return err
		}
	}
	for _, name := range clients {
		if err := l.writeKubeconfig(filepath.Join(folder, name+".kubeconfig"), api, name); err != nil {
			return err
		}
	}
	return nil
}

// writeKubeconfig makes a kubeconfig that needs no other file.
func (l *Lab) writeKubeconfig(path, server, identity string) error {
	var files [3][]byte
	for i, name := range []string{"ca.crt", identity + ".crt", identity + ".key"} {
		data, err := os.ReadFile(l.path("pki", name))
		if err != nil {
			return fmt.Errorf("read credentials of %q: %w", identity, err)
		}
		files[i] = data
	}
	c := clientcmdapi.NewConfig()
	c.Clusters["lab"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: files[0]}
	c.AuthInfos[identity] = &clientcmdapi.AuthInfo{ClientCertificateData: files[1], ClientKeyData: files[2]}
	c.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: identity}
	c.CurrentContext = "lab"
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		return fmt.Errorf("write kubeconfig of %q: %w", identity, err)
	}
	return nil
}
