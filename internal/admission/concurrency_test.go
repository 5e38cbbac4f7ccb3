package admission

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// Concurrent reconciles, and each address once.
func TestTakeConcurrently(t *testing.T) {
	network := net("net", "10.0.0.0/25") // 126 addresses
	l, _ := opened(network)
	var (
		mu    sync.Mutex
		given = map[string]string{}
		none  int
		all   sync.WaitGroup
	)
	for i := range 130 {
		all.Go(func() {
			lease, err := grant(l, network, waiter(i), "", ipam.Request{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				none++
				return
			}
			if other, twice := given[lease.Addresses[0].String()]; twice {
				t.Errorf("%s was given to %s and to %s", lease.Addresses[0], other, waiter(i))
			}
			given[lease.Addresses[0].String()] = waiter(i).String()
		})
	}
	all.Wait()
	if len(given) != 126 || none != 4 {
		t.Errorf("%d were served and %d not, want 126 and 4", len(given), none)
	}
}

// Whatever workers do at the same time: nothing is given out twice, none waits
// for another, and when all are gone nothing is left.
func TestAllAtOnce(t *testing.T) {
	const workers, attachments, rounds = 8, 12, 400
	type held struct {
		network types.NamespacedName
		address string
	}
	var networks []*v1alpha1.L2Network
	for i := range 3 {
		n := net(fmt.Sprint("net-", i), "10.0.0.0/29") // 6 addresses
		n.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll, MaxAttachments: 3}
		networks = append(networks, n)
	}
	l, _ := opened(networks...)
	name := func(i int) types.NamespacedName { return key([]string{"default", "guests"}[i%2], fmt.Sprint("a-", i)) }
	var (
		mu  sync.Mutex
		has = map[held]types.NamespacedName{}
		all sync.WaitGroup
	)
	note := func(network, owner types.NamespacedName, lease ipam.Lease) {
		mu.Lock()
		defer mu.Unlock()
		at := held{network, lease.Addresses[0].String()}
		if other, is := has[at]; is && other != owner {
			t.Errorf("%v is held by %s and by %s", at, other, owner)
		}
		has[at] = owner
	}
	leave := func(owner types.NamespacedName, but ...types.NamespacedName) {
		mu.Lock()
		defer mu.Unlock()
		for at, other := range has {
			if other == owner && !slices.Contains(but, at.network) {
				delete(has, at)
			}
		}
	}
	for worker := range workers {
		order := rand.New(rand.NewPCG(uint64(worker), 1)) //nolint:gosec // a test's order
		all.Go(func() {
			for range rounds {
				// An attachment is one worker's at a time, as the controller has it.
				i := order.IntN(attachments)/workers*workers + worker
				owner, network := name(i), networks[order.IntN(len(networks))]
				a := asks(owner, "uid", network.Name)
				switch order.IntN(6) {
				case 0, 1:
					if taken, err := l.Take(Ask{Network: network, Attachment: a}); err == nil {
						note(network.Key(), owner, taken.Lease)
					}
				case 2:
					if on := l.On(a); len(on) > 0 && on[len(on)-1] == network.Key() {
						leave(owner, network.Key())
					}
					l.Settle(network.Key(), owner, "uid")
				case 3:
					leave(owner)
					l.Keep(a)
				case 4:
					leave(owner)
					l.Withdraw(a)
				case 5:
					l.Judge(network)
					l.Snapshot()
					l.Quit(owner)
				}
			}
		})
	}
	all.Wait()
	for i := range 4 * workers {
		l.Withdraw(asks(name(i), "uid", "net-0"))
		l.Gone(name(i))
	}
	empty(t, l)
}
