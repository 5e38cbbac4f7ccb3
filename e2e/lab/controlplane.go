package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"l2sm.io/l2sm/e2e/lab/cgroup"
	"l2sm.io/l2sm/e2e/lab/patience"
)

// readyWithin bounds the wait for the API server, in particular on a machine whose disk has to read it first.
const readyWithin = 2 * time.Minute

// api is the address of the API server inside the cluster.
const api = "https://" + apiIP + ":" + apiPort

// startAPI starts etcd and the API server and waits until it is ready.
func (l *Lab) startAPI(ctx context.Context) error {
	if err := cgroup.Create(l.plan.namespace(controlPlane)); err != nil {
		return err
	}
	if err := l.startControlPlane("etcd", etcdArgs(l.path("etcd"))); err != nil {
		return err
	}
	if err := l.startControlPlane(apiServer, apiServerArgs(l.path("pki"))); err != nil {
		return err
	}
	if err := l.startForwarder(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience.Of(readyWithin))
	defer cancel()
	return l.waitForAPI(ctx)
}

// startControllers follows startAPI: before the API server is ready they would exit for good.
func (l *Lab) startControllers() error {
	if err := l.startControlPlane("kube-controller-manager", controllerManagerArgs(l.path("pki"))); err != nil {
		return err
	}
	return l.startControlPlane("kube-scheduler", schedulerArgs(l.path("pki")))
}

func (l *Lab) startControlPlane(program string, args []string) error {
	return l.start(process{
		name:      program,
		namespace: l.plan.namespace(controlPlane),
		argv:      append([]string{filepath.Join(l.state.Kubernetes, program)}, args...),
	})
}

const apiServer = "kube-apiserver"

// controlPlaneProcesses are the names of the processes that make up the control plane.
var controlPlaneProcesses = []string{"etcd", apiServer, "kube-controller-manager", "kube-scheduler", forwarder}

func etcdArgs(data string) []string {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return []string{
		"--name=lab", "--data-dir=" + data,
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=lab=" + peer,
		// A lab that loses power is thrown away, and its disk should not set the pace of measurements.
		"--unsafe-no-fsync",
	}
}

func apiServerArgs(pki string) []string {
	file := func(name string) string { return filepath.Join(pki, name) }
	return []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--secure-port=" + apiPort, "--advertise-address=" + apiIP,
		"--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"),
		"--client-ca-file=" + file("ca.crt"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + serviceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + file("service-accounts.crt"), "--service-account-signing-key-file=" + file("service-accounts.key"),
		"--kubelet-certificate-authority=" + file("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + file("apiserver-kubelet.crt"), "--kubelet-client-key=" + file("apiserver-kubelet.key"),
		"--requestheader-client-ca-file=" + file("ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + file("front-proxy.crt"), "--proxy-client-key-file=" + file("front-proxy.key"),
		"--enable-aggregator-routing=true", // to endpoints: no kube-proxy stands beside it
	}
}

func controllerManagerArgs(pki string) []string {
	kubeconfig := filepath.Join(pki, "kube-controller-manager.kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--root-ca-file=" + filepath.Join(pki, "ca.crt"),
		"--service-account-private-key-file=" + filepath.Join(pki, "service-accounts.key"), "--use-service-account-credentials=true",
		"--cluster-signing-cert-file=" + filepath.Join(pki, "ca.crt"), "--cluster-signing-key-file=" + filepath.Join(pki, "ca.key"),
		"--allocate-node-cidrs=false", "--leader-elect=false",
		"--kube-api-qps=1000", "--kube-api-burst=2000",
	}
}

func schedulerArgs(pki string) []string {
	kubeconfig := filepath.Join(pki, "kube-scheduler.kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--kube-api-qps=1000", "--kube-api-burst=2000",
	}
}

func (l *Lab) waitForAPI(ctx context.Context) error {
	config, err := l.RESTConfig()
	if err != nil {
		return err
	}
	config.Timeout = patience.Of(time.Second)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("make client of the API server: %w", err)
	}
	for !ready(client) {
		if _, alive := l.running(l.plan.namespace(controlPlane), apiServer); !alive {
			return fmt.Errorf("the API server ended, see %s", l.path("log", "kube-apiserver.log"))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the API server, see %s: %w", l.path("log"), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func ready(client *http.Client) bool {
	resp, err := client.Get(api + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// forwarder is the process behind the kubeconfig: it takes connections on the machine's loopback address to the API server.
const forwarder = "api-forwarder"

// startForwarder writes the kubeconfig too, since it chooses the port. It opens the listening socket on the machine and lets the process inherit it: a socket stays in the network
// namespace where it was made, so one process stands in both.
func (l *Lab) startForwarder() error {
	if _, alive := l.running(l.plan.namespace(controlPlane), forwarder); alive {
		return nil
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return fmt.Errorf("listen for kubectl: %w", err)
	}
	defer func() { _ = listener.Close() }() // the process keeps its own
	file, err := listener.File()
	if err != nil {
		return fmt.Errorf("pass on the socket for kubectl: %w", err)
	}
	defer file.Close()
	if err := l.writeKubeconfig(l.Kubeconfig(), "https://"+listener.Addr().String(), "admin"); err != nil {
		return err
	}
	return l.start(process{
		name:      forwarder,
		namespace: l.plan.namespace(controlPlane),
		argv:      []string{l.state.Program, "forward-api"},
		files:     []*os.File{file},
	})
}
