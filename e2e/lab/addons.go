package lab

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"l2sm.io/l2sm/e2e/lab/patience"
)

//go:embed addons/coredns.yaml
var coredns string

// applyAddons creates what the cluster needs beside Kubernetes. Done again, it changes nothing.
func (l *Lab) applyAddons(ctx context.Context, repository string) error {
	if !l.state.NoMultus {
		if _, err := l.Kubectl(ctx, "apply", "-k", filepath.Join(repository, "manifests", "overlays", "multus")); err != nil {
			return fmt.Errorf("apply what Multus needs: %w", err)
		}
	}
	if err := l.applyMainCNI(ctx, repository); err != nil {
		return err
	}
	cmd := l.KubectlCommand(ctx, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(coredns)
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("apply CoreDNS: %w", err)
	}
	return nil
}

func (l *Lab) waitForNodes(ctx context.Context) error {
	// The nodes register when their kubelets start: until then there is nothing that could be waited on.
	for _, n := range l.plan.Nodes {
		if _, err := l.Kubectl(ctx, "wait", "--for=create", "node/"+n.Name, patience.Timeout(time.Minute)); err != nil {
			return err
		}
	}
	_, err := l.Kubectl(ctx, "wait", "--for=condition=Ready", "nodes", "--all", patience.Timeout(time.Minute))
	return err
}

func (l *Lab) waitForDNS(ctx context.Context) error {
	_, err := l.Kubectl(ctx, "rollout", "status", "--namespace=kube-system", "deployment/coredns", patience.Timeout(time.Minute))
	return err
}
