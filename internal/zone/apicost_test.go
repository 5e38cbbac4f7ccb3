//go:build integration

package zone_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/kube"
)

// What the API server pays for the watches of nodes with 10 networks each, and for a
// change of an attachment then; at two numbers of nodes, which tells how that grows.
func BenchmarkAPIServer(b *testing.B) {
	for _, nodes := range []int{100, 300} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) { benchmarkAPIServer(b, nodes) })
	}
}

func benchmarkAPIServer(b *testing.B, nodes int) {
	const each, members = 10, 10
	for range b.N {
		w := &world{t: b, Client: newClient(b)}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "cost-"}}
		w.create(ns)
		w.namespace = ns.Name
		last := &v1alpha1.L2Attachment{}
		for i := range nodes * each / members {
			network := w.network(fmt.Sprintf("net-%d", i))
			for n := range members {
				last = w.attachAs(fmt.Sprintf("pod-%d-%d", i, n), network, fmt.Sprintf("node-%d", (i*members+n)%nodes), byte(n+1)).L2Attachment
			}
		}
		server := find(b, "kube-apiserver")
		pay(b, server, last, "without watches of networks")
		idle := server.memory()
		ctx, stop := context.WithCancel(context.Background())
		var filled, told atomic.Int32
		for n := range nodes {
			own := rest.CopyConfig(config)
			own.Dial = (&net.Dialer{}).DialContext // a connection of its own, as each node has
			api, err := kube.New(own)
			if err != nil {
				b.Fatal(err)
			}
			for i := range each {
				cache, err := api.Network(types.NamespacedName{Namespace: w.namespace, Name: fmt.Sprintf("net-%d", n/members+i*nodes/members)})
				if err != nil {
					b.Fatal(err)
				}
				if err := cache.OnAttachment(func(before, _ *v1alpha1.L2Attachment) {
					if before != nil {
						told.Add(1)
					}
				}); err != nil {
					b.Fatal(err)
				}
				go cache.Run(ctx, func() { filled.Add(1) })
			}
		}
		gomega.NewWithT(b).Eventually(filled.Load, "2m", "10ms").Should(gomega.BeEquivalentTo(nodes * each))
		time.Sleep(2 * time.Second) // what filling took is collected
		fmt.Printf("%d nodes x %d networks of %d members: the API server takes %.1f MiB more, %.0f KiB a network of a node\n", nodes, each, members,
			float64(server.memory()-idle)/1024, float64(server.memory()-idle)/float64(nodes*each))
		began := told.Load()
		pay(b, server, last, "with them")
		fmt.Printf("%.1f nodes were told of each change\n", float64(told.Load()-began)/changes)
		stop()
		w.clear()
		if err := w.Delete(context.Background(), ns); err != nil {
			b.Error(err)
		}
	}
}

// changes are how often pay changes the attachment.
const changes = 200

// pay prints what a change of an attachment's status costs the API server.
func pay(b *testing.B, server process, a *v1alpha1.L2Attachment, when string) {
	b.Helper()
	w := &world{t: b, Client: newClient(b)}
	before, began := server.cpu(), time.Now()
	for i := range changes {
		a.Status.MTU = int32(1400 + i%2)
		w.status(a)
	}
	took := time.Since(began)
	time.Sleep(time.Second) // for what follows the answer
	fmt.Printf("%s, a change of an attachment costs the API server %s of CPU (written in %s)\n", when,
		((server.cpu() - before) / changes).Round(10*time.Microsecond), (took / changes).Round(10*time.Microsecond))
}

// process is one that runs.
type process string

func find(b *testing.B, name string) process {
	b.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range all {
		if comm, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(comm)) == name {
			return process(filepath.Dir(file))
		}
	}
	b.Fatalf("no process %s", name)
	return ""
}

// memory is its resident memory in KiB.
func (p process) memory() int {
	text, _ := os.ReadFile(string(p) + "/status") // it runs
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, _ := strconv.Atoi(strings.Fields(rest)[0])
	return n
}

// cpu is the time that it has computed.
func (p process) cpu() time.Duration {
	text, _ := os.ReadFile(string(p) + "/stat")
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}
