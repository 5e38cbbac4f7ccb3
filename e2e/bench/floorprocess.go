package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"l2sm.io/l2sm/e2e/lab"
)

// floorProcess is the floor, running on a node.
type floorProcess struct {
	lab     *lab.Lab
	node    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	secrets string
}

// startFloor runs this program on the cluster's first node.
func startFloor(ctx context.Context, l *lab.Lab) (*floorProcess, error) {
	secrets, err := os.MkdirTemp("", "bench-tls-")
	if err != nil {
		return nil, err
	}
	f := &floorProcess{lab: l, node: l.Nodes()[0], secrets: secrets}
	if err := f.start(ctx, l); err != nil {
		f.end()
		return nil, fmt.Errorf("start the floor: %w", err)
	}
	return f, nil
}

func (f *floorProcess) start(ctx context.Context, l *lab.Lab) error {
	// Where each node has a northbound database, the agent's is the one to write.
	endpoint, err := l.Kubectl(ctx, "-n", systemNS, "get", "daemonset", "l2sm-agent", "-o", `jsonpath={.spec.template.spec.containers[0].env[?(@.name=="NB_ENDPOINTS")].value}`)
	if err != nil {
		return fmt.Errorf("%w: %s", err, endpoint)
	}
	if endpoint = strings.TrimSpace(endpoint); endpoint == "" {
		if endpoint, err = f.central(ctx, l); err != nil {
			return err
		}
	}
	mtu, err := l.Kubectl(ctx, "-n", namespace, "get", "l2net", networkName, "-o", "jsonpath={.status.mtu}")
	if err != nil {
		return fmt.Errorf("%w: %s", err, mtu)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	f.cmd, err = l.NodeCommand(ctx, f.node, self, "floor", "--nb", endpoint, "--tls-dir", f.secrets, "--mtu", strings.TrimSpace(mtu))
	if err != nil {
		return err
	}
	f.cmd.Stderr = os.Stderr
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		return err
	}
	output, err := f.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	f.out = bufio.NewReader(output)
	return f.cmd.Start()
}

// central is the endpoint of the one northbound database, whose client certificate is
// kept for it.
func (f *floorProcess) central(ctx context.Context, l *lab.Lab) (string, error) {
	out, err := l.Kubectl(ctx, "-n", systemNS, "get", "secret", "ovn-control-tls", "-o", "json")
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	var secret struct{ Data map[string][]byte }
	if err := json.Unmarshal([]byte(out), &secret); err != nil {
		return "", err
	}
	for name, text := range secret.Data {
		if err := os.WriteFile(filepath.Join(f.secrets, name), text, 0o600); err != nil {
			return "", err
		}
	}
	address, err := l.Kubectl(ctx, "-n", systemNS, "get", "service", "ovn-central", "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, address)
	}
	return fmt.Sprintf("ssl:%s:6641", strings.TrimSpace(address)), nil
}

// do measures n attaches of the floor at once. The node's agent is paused for
// that: to its sweep, interfaces in no sandbox are leaks.
func (f *floorProcess) do(ctx context.Context, n int) ([]floorTimes, error) {
	if err := f.signalAgent(ctx, "-STOP"); err != nil {
		return nil, err
	}
	answers, err := f.ask(n)
	return answers, errors.Join(err, f.signalAgent(context.WithoutCancel(ctx), "-CONT"))
}

func (f *floorProcess) signalAgent(ctx context.Context, signal string) error {
	if out, err := f.lab.Node(ctx, f.node, "pkill", signal, "-x", "l2sm-agent"); err != nil {
		return fmt.Errorf("send %s to the agent on %s: %w: %s", signal, f.node, err, out)
	}
	return nil
}

func (f *floorProcess) ask(n int) ([]floorTimes, error) {
	if _, err := fmt.Fprintln(f.in, n); err != nil {
		return nil, fmt.Errorf("ask the floor: %w", err)
	}
	line, err := f.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("read the floor's answer: %w", err)
	}
	var answers []floorTimes
	if err := json.Unmarshal(line, &answers); err != nil {
		return nil, err
	}
	for _, a := range answers {
		if a.Error != "" {
			return nil, errors.New("floor: " + a.Error)
		}
	}
	return answers, nil
}

// end lets the floor clean up, and forgets the certificate.
func (f *floorProcess) end() {
	if f.in != nil {
		f.in.Close()
		if err := f.cmd.Wait(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: floor:", err)
		}
	}
	os.RemoveAll(f.secrets)
}
