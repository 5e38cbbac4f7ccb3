//go:build e2e

package clusters

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/e2e/traffic"
)

// followWithin is how long after a pod is Ready in the other cluster its traffic may go
// astray.
const followWithin = 200 * time.Millisecond

// A pod that is deleted in one cluster and created in the other keeps its address and its
// MAC address, and traffic follows it: from its own new cluster, and from the one that it
// left.
func TestPodMovesBetweenClusters(t *testing.T) {
	east, west := newScenario(t)
	east.apply(east.network(5102), pod("stays", "n1", ""), pod("roamer", "", asks("", "10.60.0.5", "fd60::5")))
	west.apply(west.network(5102), pod("stays", "", ""))
	east.ready("stays", "roamer")
	west.ready("stays")
	east.stretched()
	west.stretched()
	identity := func(p place) string { return p.exec("roamer", "cat /sys/class/net/net1/address") }
	before := identity(east)

	for _, move := range []struct{ from, to place }{{east, west}, {west, east}} {
		from, to := move.from, move.to
		for _, p := range []place{east, west} {
			p.exec("stays", "ping -c 3 -i 0.2 10.60.0.5")
			p.stream("stays", "10.60.0.5")
		}
		readyAt := to.whenReady("roamer")
		from.kubectl("delete", "pod", "roamer")
		to.apply(pod("roamer", "", asks("", "10.60.0.5", "fd60::5")))
		at := <-readyAt
		if at.IsZero() {
			t.Fatalf("roamer is not Ready in the %s", to.side)
		}
		time.Sleep(2 * time.Second)
		for _, p := range []place{east, west} {
			pings := p.streamed("stays")
			back, found := backAt(pings)
			if !found {
				t.Errorf("from the %s: nothing answers after the pod has moved to the %s", p.side, to.side)
				continue
			}
			t.Logf("clusters: a pod moved from the %s to the %s, seen from the %s: answers again %+d ms from its Ready, after %d ms",
				from.side, to.side, p.side, back.Sub(at).Milliseconds(), pings.Gap().Milliseconds())
			if after := back.Sub(at); after > followWithin {
				t.Errorf("from the %s: traffic follows %s after Ready, want %s", p.side, after, followWithin)
			}
		}
		if got := identity(to); got != before {
			t.Errorf("its MAC address was %s and is %s", before, got)
		}
	}
}

// stream starts pings in a pod that go on until streamed.
func (p place) stream(pod, to string) {
	p.Helper()
	p.exec(pod, traffic.PingCommand(to)+" > /tmp/ping 2>&1 & echo $! > /tmp/ping.pid")
}

func (p place) streamed(pod string) traffic.Pings {
	p.Helper()
	out := p.exec(pod, "kill -INT $(cat /tmp/ping.pid); for i in $(seq 100); do grep -q 'packets transmitted' /tmp/ping && break; sleep 0.05; done; cat /tmp/ping")
	pings, err := traffic.ReadPings(out)
	if err != nil {
		p.Fatal(err)
	}
	return pings
}

// backAt is when the first ping was sent after the longest time without an answer: single
// losses on a busy machine are no absence.
func backAt(pings traffic.Pings) (time.Time, bool) {
	longest, at := 0, -1
	for i, run := 0, 0; i < len(pings); i++ {
		if pings[i].Answered {
			run = 0
			continue
		}
		if run++; run > longest {
			longest, at = run, i
		}
	}
	if at < 0 || at+1 >= len(pings) {
		return time.Time{}, false
	}
	return pings[at+1].Sent, true
}

// whenReady tells when the pod is seen to be Ready, or closes after patience. Kubernetes
// itself writes down seconds only.
func (p place) whenReady(name string) <-chan time.Time {
	p.Helper()
	client, err := p.client()
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	events, err := client.CoreV1().Pods(p.namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		cancel()
		p.Fatal(err)
	}
	at := make(chan time.Time, 1)
	go func() {
		defer cancel()
		defer close(at)
		for event := range events.ResultChan() {
			pod, is := event.Object.(*corev1.Pod)
			if !is || pod.DeletionTimestamp != nil {
				continue
			}
			for _, c := range pod.Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					at <- time.Now()
					return
				}
			}
		}
	}()
	return at
}

func (p place) client() (*kubernetes.Clientset, error) {
	cache, err := lab.DefaultCache()
	if err != nil {
		return nil, err
	}
	l, err := lab.Open(cache, p.lab)
	if err != nil {
		return nil, err
	}
	config, err := l.RESTConfig()
	if err != nil {
		return nil, fmt.Errorf("reach %s: %w", p.lab, err)
	}
	return kubernetes.NewForConfig(config)
}
