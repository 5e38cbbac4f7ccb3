//go:build integration

package agent_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
)

// What is slow to make where the tests run may be made elsewhere: these name folders of the product's programs, and of
// kube-apiserver's kubeconfig and its Unix socket api.sock. A socket, because the tests' network namespace has no links.
// `make test-kernel` sets them.
const (
	programsVariable = "L2SM_TEST_PROGRAMS"
	apiVariable      = "L2SM_TEST_API"
)

func buildPlugin() error {
	if folder := os.Getenv(programsVariable); folder != "" {
		plugin = filepath.Join(folder, "l2sm")
		return nil
	}
	build := exec.Command("go", "build", "-o", plugin, "l2sm.io/l2sm/cmd/cni")
	build.Stderr = os.Stderr
	return build.Run()
}

func joinAPI(folder string) error {
	var err error
	if kubeconfig, err = os.ReadFile(filepath.Join(folder, "kubeconfig")); err != nil {
		return err
	}
	if api, err = clientcmd.RESTConfigFromKubeConfig(kubeconfig); err != nil {
		return err
	}
	api.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(folder, "api.sock"))
	}
	return nil
}
