package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"l2sm.io/l2sm/e2e/lab/pki"
)

// servers are who is connected to, and who signs, by the name of their files in the pki folder.
func servers() map[string]pki.Identity {
	return map[string]pki.Identity{
		"apiserver": {
			Name: "kube-apiserver",
			IPs:  []string{apiIP, serviceIP, "127.0.0.1"},
			DNS:  []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"},
		},
		"apiserver-kubelet": {Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
		"front-proxy":       {Name: "front-proxy"},
		"service-accounts":  {Name: "service-accounts"},
	}
}

// clients are who connects to the API server. They get a kubeconfig beside the files of their certificate.
func clients(p plan) map[string]pki.Identity {
	all := map[string]pki.Identity{
		"admin":                   {Name: "admin", Groups: []string{"system:masters"}},
		"kube-controller-manager": {Name: "system:kube-controller-manager"},
		"kube-scheduler":          {Name: "system:kube-scheduler"},
		"kube-proxy":              {Name: "system:kube-proxy"},
		"multus":                  {Name: "multus"}, // bound to its role in manifests/overlays/multus
	}
	for _, n := range p.Nodes {
		all["kubelet-"+n.Name] = pki.Identity{
			Name:   "system:node:" + n.Name,
			Groups: []string{"system:nodes"},
			IPs:    []string{n.IP},
			DNS:    []string{n.Name},
		}
	}
	return all
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
	for name, id := range servers() {
		if err := issue(ca, folder, name, id); err != nil {
			return err
		}
	}
	for name, id := range clients(l.plan) {
		if err := issue(ca, folder, name, id); err != nil {
			return err
		}
		if err := l.writeKubeconfig(filepath.Join(folder, name+".kubeconfig"), api, name); err != nil {
			return err
		}
	}
	return nil
}

func issue(ca *pki.Authority, folder, name string, id pki.Identity) error {
	pair, err := ca.Issue(id)
	if err != nil {
		return err
	}
	return pair.Write(folder, name)
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
