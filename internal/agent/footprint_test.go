//go:build integration

package agent_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/nri/nritest"
)

const (
	manyNetworks   = 10_000
	ownAttachments = 100
	// writers create objects at a time.
	writers = 16
)

// BenchmarkFootprint prints the memory of the agent's program, as it is shipped,
// on a node with 100 attachments of its own in a cluster with 10,000 networks
// and as many attachments on other nodes:
//
//	go test -tags integration -run '^$' -bench Footprint -benchtime 1x ./internal/agent
func BenchmarkFootprint(b *testing.B) {
	w := startNode(b)
	program := filepath.Join(onDisk(b), "l2sm-agent")
	build := exec.Command("go", "build", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", program, "l2sm.io/l2sm/cmd/agent")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		b.Fatal(err)
	}
	size, err := os.Stat(program)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.ReportMetric(mib(size.Size()), "MiB-program")
		pid := w.runProgram(program)
		time.Sleep(2 * time.Second) // it has nothing to do
		report(b, pid, "idle")
		w.inParallel(manyNetworks, w.distantNetwork)
		report(b, pid, "networks")
		w.network("one")
		var all []*v1alpha1.L2Attachment
		for n := range ownAttachments {
			ping := w.running(fmt.Sprintf("ping-%d", n))
			all = append(all, w.attach(ping.pod, "one", "net1", n+1))
		}
		for _, a := range all {
			w.becomes(a, "True Ready", "it is attached")
		}
		report(b, pid, "attached")
		time.Sleep(10 * time.Second) // what it has no use for it gives back
		report(b, pid, "rested")
	}
}

// onDisk is a folder whose files count as such: those of a tmpfs, where tests
// have their own, count as shared memory.
func onDisk(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "l2sm-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// runProgram starts the agent's program, on a node whose runtime tells of pods. It
// ends with the test.
func (w *world) runProgram(program string) (pid int) {
	w.t.Helper()
	config := filepath.Join(w.t.TempDir(), "kubeconfig")
	if err := os.WriteFile(config, kubeconfig, 0o600); err != nil {
		w.t.Fatal(err)
	}
	r := nritest.Start(w.t, w.t.TempDir())
	cmd := exec.Command(program, "--node-name="+nodeName, "--ovs-db="+w.Endpoint(), "--cri-endpoint="+w.runtime.Socket(), "--nri-socket="+r.Socket(),
		"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+config)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("the agent ended with: %v", err)
		}
	})
	NewWithT(w.t).Eventually(w.answers, patience, "10ms").Should(Succeed(), "the agent must get ready")
	w.told(r)
	return cmd.Process.Pid
}

// inParallel calls create with each number below n.
func (w *world) inParallel(n int, create func(int) error) {
	w.t.Helper()
	next := make(chan int)
	var all sync.WaitGroup
	failed := make([]error, writers)
	for i := range writers {
		all.Go(func() {
			for n := range next {
				failed[i] = errors.Join(failed[i], create(n))
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		w.t.Fatal(err)
	}
}

// distantNetwork is a network with an attachment on another node.
func (w *world) distantNetwork(n int) error {
	name := fmt.Sprintf("distant-%d", n)
	meta := metav1.ObjectMeta{Namespace: w.namespace, Name: name}
	network := &v1alpha1.L2Network{ObjectMeta: meta, Spec: v1alpha1.L2NetworkSpec{IPAM: &v1alpha1.IPAM{Subnets: []string{"10.0.0.0/16", "fd10::/64"}}}}
	a := &v1alpha1.L2Attachment{ObjectMeta: meta, Spec: v1alpha1.L2AttachmentSpec{
		PodName: name, PodUID: "distant", NodeName: "node-b", Interface: "net1", Network: v1alpha1.NetworkReference{Name: name},
		MACAddress: "0a:58:0a:00:00:01", Addresses: []string{"10.0.0.1/16", "fd10::1/64"},
	}}
	return errors.Join(w.Create(w.t.Context(), network), w.Create(w.t.Context(), a))
}

// report reports the memory of a process, proc_pid_status(5).
func report(b *testing.B, pid int, when string) {
	b.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch key {
		case "VmRSS", "RssFile", "RssAnon":
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(mib(kib<<10), fmt.Sprintf("MiB-%s-%s", key, when))
		}
	}
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
