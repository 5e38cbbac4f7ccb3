package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/e2e/lab"
)

// peerNS is where OVN-Kubernetes' daemons run in the local cluster, and ovnkube the container that answers its plugin.
const (
	peerNS        = "ovn-kubernetes"
	peerContainer = "ovnkube"
)

// readPeerLogs completes the timelines from what ovnkube logged of its plugin's calls for the pods' second network.
func (p *pods) readPeerLogs(ctx context.Context, since time.Time, batches ...[]*timeline) error {
	timelines := map[string]*timeline{}
	for _, batch := range batches {
		for _, t := range batch {
			timelines[t.pod] = t
		}
	}
	programs, err := p.api.CoreV1().Pods(peerNS).List(ctx, metav1.ListOptions{LabelSelector: "app=ovnkube-node"})
	if err != nil {
		return err
	}
	for _, program := range programs.Items {
		log, err := p.api.CoreV1().Pods(peerNS).GetLogs(program.Name, &corev1.PodLogOptions{
			Container: peerContainer, SinceTime: &metav1.Time{Time: since.Add(-2 * time.Second)},
		}).Stream(ctx)
		if err != nil {
			return fmt.Errorf("read the log of %q: %w", program.Name, err)
		}
		err = addPeer(timelines, log)
		log.Close()
		if err != nil {
			return fmt.Errorf("read the log of %q: %w", program.Name, err)
		}
	}
	return nil
}

// peerLine is a line of klog with a call of the plugin: its time of the day, the pod, the network's definition, and
// whether the call starts or ends. A call's result stands behind it.
var peerLine = regexp.MustCompile(`^I\d{4} (\d\d:\d\d:\d\d\.\d+) .*\[([^/ ]+)/(\S+) \S+ network \S+ NAD (\S+)\] ADD (starting|finished) CNI request`)

// addPeer takes from ovnkube's log what it tells of the pods, by their names. klog has no date: what ends before it began
// has gone past midnight.
func addPeer(timelines map[string]*timeline, log io.Reader) error {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := peerLine.FindStringSubmatch(lines.Text())
		if m == nil || m[2] != namespace || m[4] != namespace+"/"+peerNetwork {
			continue
		}
		t := timelines[m[3]]
		if t == nil {
			continue
		}
		at, err := time.Parse("15:04:05.000000", m[1])
		if err != nil {
			return err
		}
		if m[5] == "starting" {
			t.entered = at
			continue
		}
		if t.returned = at; at.Before(t.entered) {
			t.returned = at.Add(24 * time.Hour)
		}
	}
	return lines.Err()
}

// peerPrograms are what a node runs for pods' networks, as pgrep -f finds it.
var peerPrograms = []struct{ name, pattern string }{
	{"ovnkube", "^ovnkube --init-ovnkube-controller"}, {"l2sm-agent", "^/usr/bin/l2sm-agent"},
}

// memoryOfPeers are the resident pages of each program on each node.
func memoryOfPeers(ctx context.Context, l *lab.Lab) ([]row, error) {
	var rows []row
	for _, p := range peerPrograms {
		var sizes []float64
		for _, n := range l.Nodes() {
			out, err := l.Node(ctx, n, "sh", "-c", fmt.Sprintf("awk '/^VmRSS/ {print $2}' /proc/$(pgrep -f '%s' | head -n 1)/status", p.pattern))
			if err != nil {
				return nil, fmt.Errorf("read the memory of %s on %s: %w", p.name, n, err)
			}
			kib, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
			if err != nil {
				return nil, fmt.Errorf("read the memory of %s on %s: %w", p.name, n, err)
			}
			sizes = append(sizes, kib/1024)
		}
		rows = append(rows, row{"memory of " + p.name + " on a node, MiB", summarize(sizes)})
	}
	return rows, nil
}
