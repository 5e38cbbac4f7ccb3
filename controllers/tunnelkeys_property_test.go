package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/tunnelkey"
)

// Whatever attachments come, go, move and are bound, however far the cache lags and
// whatever becomes of writes whose outcome nobody heard of, over restarts too: no two
// ports of a network have the same key on record, no key changes but with its
// network, and in the end everyone has one that one is left for.
func TestPortKeysProperties(t *testing.T) { rapid.Check(t, checkPortKeys) }

// statusWrite is one that was sent and may take place yet.
type statusWrite struct {
	name, version string
	uid           types.UID
	network       *v1alpha1.NetworkReference
	key           int32
}

// keysModel is an API with a cache, and what the attachments' reconciler does.
type keysModel struct {
	*tunnelKeys
	networks   []v1alpha1.L2Network
	live, seen map[string]*v1alpha1.L2Attachment
	// wants is the network that each is to be on, empty for none.
	wants  map[string]string
	sent   []statusWrite
	due    map[string]bool
	number int
}

const modelKeys, modelAttachments = 2, 6

func newKeysModel() *keysModel {
	m := &keysModel{live: map[string]*v1alpha1.L2Attachment{}, seen: map[string]*v1alpha1.L2Attachment{}, wants: map[string]string{}}
	m.networks = []v1alpha1.L2Network{*networkOf("a"), *networkOf("b")}
	m.start()
	for i := range modelAttachments {
		m.create(strconv.Itoa(i))
		m.sync(strconv.Itoa(i))
	}
	for i := range m.networks {
		n := &m.networks[i]
		n.Status.InForce = &v1alpha1.L2NetworkSpec{}
		n.Status.TunnelKey, _ = m.status(n)
	}
	return m
}

// start is that of a controller, which reads the API itself.
func (m *keysModel) start() {
	m.due = map[string]bool{}
	m.tunnelKeys = newTunnelKeys(v1alpha1.FabricZones, tunnelkey.Range{First: 10, Last: 20}, keyWake{
		networks: func(...types.NamespacedName) {},
		attachments: func(names ...types.NamespacedName) {
			for _, name := range names {
				m.due[name.Name] = true
			}
		},
	})
	m.ports, m.from = tunnelkey.Range{First: 1, Last: modelKeys}, func(keys tunnelkey.Range) int32 { return keys.First }
	var all []v1alpha1.L2Attachment
	for _, name := range slices.Sorted(maps.Keys(m.live)) {
		all = append(all, *m.live[name])
		m.due[name] = true
	}
	m.load(m.networks, all)
	for i := range m.networks {
		m.network(&m.networks[i])
	}
}

func (m *keysModel) next() string { m.number++; return strconv.Itoa(m.number) }

func (m *keysModel) create(name string) {
	if m.live[name] == nil {
		a := portOf(name)
		a.UID, a.ResourceVersion = types.UID(m.next()), m.next()
		m.live[name] = a
	}
}

// sync has the cache show what there is of one, and its event come.
func (m *keysModel) sync(name string) {
	m.due[name] = true
	if delete(m.seen, name); m.live[name] != nil {
		m.seen[name] = m.live[name].DeepCopy()
	}
}

// reconcile is that of the attachments' reconciler, as far as keys go.
func (m *keysModel) reconcile(name string) {
	delete(m.due, name)
	a := m.seen[name]
	if a == nil {
		m.attachmentGone(key("lab", name))
		return
	}
	status := v1alpha1.L2AttachmentStatus{}
	to, waits := types.NamespacedName{}, false
	if on := m.wants[name]; on != "" {
		network := &m.networks[slices.IndexFunc(m.networks, func(n v1alpha1.L2Network) bool { return n.Name == on })]
		to = network.Key()
		number, err := m.port(network, a)
		if err == nil {
			status.Network, status.TunnelKey = &v1alpha1.NetworkReference{Namespace: "lab", Name: on}, number
		} else if recorded, has := a.PortNetwork(); has { // refused: it stays
			status, to = a.Status, recorded
		}
		waits = err != nil
	}
	m.keep(a, to, waits)
	if movesKey(a.Status, status) {
		m.sending(a)
		m.sent = append(m.sent, statusWrite{name, a.ResourceVersion, a.UID, status.Network, status.TunnelKey})
	}
}

// land has a write take place, if the attachment is still as it was read.
func (m *keysModel) land(t interface{ Fatalf(string, ...any) }, i int) {
	w := m.sent[i]
	m.sent = slices.Delete(m.sent, i, i+1)
	m.due[w.name] = true // by its error, or by the event
	a := m.live[w.name]
	if a == nil || a.UID != w.uid || a.ResourceVersion != w.version {
		return
	}
	if had, has := a.PortNetwork(); has && w.network != nil && had.Name == w.network.Name && a.Status.TunnelKey != w.key {
		t.Fatalf("%s changes its key on %s from %d to %d", w.name, had.Name, a.Status.TunnelKey, w.key)
	}
	a = a.DeepCopy()
	a.Status.Network, a.Status.TunnelKey, a.ResourceVersion = w.network, w.key, m.next()
	m.live[w.name] = a
}

// check: no two have the same on record.
func (m *keysModel) check(t *rapid.T) {
	holders := map[string]string{}
	for name, a := range m.live {
		if a.Status.Network == nil {
			continue
		}
		port := fmt.Sprint(a.Status.Network.Name, " ", a.Status.TunnelKey)
		if other, taken := holders[port]; taken {
			t.Fatalf("%s and %s have port %s", name, other, port)
		}
		holders[port] = name
	}
}

// settle has all that is under way come to its end.
func (m *keysModel) settle(t *rapid.T) {
	for range 200 {
		for len(m.sent) > 0 {
			m.land(t, 0)
		}
		for i := range modelAttachments {
			if name := fmt.Sprint(i); m.live[name] == nil && m.seen[name] != nil || m.live[name] != nil && (m.seen[name] == nil || m.seen[name].ResourceVersion != m.live[name].ResourceVersion) {
				m.sync(name)
			}
		}
		if len(m.due) == 0 && len(m.sent) == 0 {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(m.due)) {
			m.reconcile(name)
		}
	}
	t.Fatal("it does not come to an end")
}

// step has a change of one be seen, acted on, and written.
func (m *keysModel) step(t *testing.T, name, to string) {
	t.Helper()
	m.wants[name] = to
	m.sync(name)
	m.reconcile(name)
	for len(m.sent) > 0 {
		m.land(t, 0)
	}
	m.sync(name)
	m.reconcile(name)
}

// holds are the networks that one has a key on.
func (m *keysModel) holds(name string) string {
	var on []string
	if p := m.held[key("lab", name)]; p != nil {
		for _, h := range p.held {
			on = append(on, h.on.name.Name)
		}
	}
	return strings.Join(on, " ")
}

// A key whose write may have taken place is held until that is known.
func TestKeyOfUnknownWrite(t *testing.T) {
	m := newKeysModel()
	expect := func(reason, want string) {
		t.Helper()
		if got := m.holds("0"); got != want {
			t.Errorf("%s: it holds keys on %q, want %q", reason, got, want)
		}
	}
	m.step(t, "0", "a")
	m.wants["0"] = "b"
	m.reconcile("0")
	expect("it moves", "a b")
	m.wants["0"] = "a"
	m.reconcile("0")
	expect("it is to stay, and the write is under way", "a b")
	m.land(t, 0)
	m.reconcile("0")
	expect("it took place, and the cache does not show it", "a b")
	m.sync("0")
	m.reconcile("0")
	expect("it does, and the way back is under way", "a b")
	m.land(t, 0)
	m.sync("0")
	m.reconcile("0")
	expect("it is back", "a")
	m.step(t, "0", "")
	expect("it has no port", "")
}

// Another attachment of the name takes over nothing, also where the cache never
// showed that there was none.
func TestKeysOfAnotherLife(t *testing.T) {
	m := newKeysModel()
	m.step(t, "0", "a")
	delete(m.live, "0")
	m.create("0")
	m.step(t, "0", "")
	if got := m.holds("0"); got != "" {
		t.Errorf("it holds keys on %q", got)
	}
}

// Who was woken for a key and does not want it any more passes it on.
func TestKeyIsPassedOn(t *testing.T) {
	m := newKeysModel()
	for _, name := range []string{"0", "1", "2", "3"} {
		m.step(t, name, "a")
	}
	m.due = map[string]bool{}
	m.step(t, "0", "")
	if !m.due["2"] || m.due["3"] {
		t.Errorf("woken for one key: %v, want 2", m.due)
	}
	m.step(t, "2", "b")
	if !m.due["3"] {
		t.Error("2 does not want it any more, and 3 is not woken")
	}
}

func checkPortKeys(t *rapid.T) {
	m := newKeysModel()
	names := rapid.Custom(func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(0, modelAttachments-1).Draw(t, "n")) })
	networks := rapid.SampledFrom([]string{"a", "a", "b", ""})
	t.Repeat(map[string]func(*rapid.T){
		"replace": func(t *rapid.T) {
			name := names.Draw(t, "name")
			if delete(m.live, name); rapid.Bool().Draw(t, "again") {
				m.create(name)
			}
		},
		"want": func(t *rapid.T) {
			name := names.Draw(t, "name")
			m.wants[name], m.due[name] = networks.Draw(t, "network"), true
		},
		"go": func(t *rapid.T) { // as it goes mostly
			name := names.Draw(t, "name")
			m.wants[name] = networks.Draw(t, "network")
			m.sync(name)
			m.reconcile(name)
			if len(m.sent) > 0 && rapid.Bool().Draw(t, "lands") {
				m.land(t, len(m.sent)-1)
			}
		},
		"sync":      func(t *rapid.T) { m.sync(names.Draw(t, "name")) },
		"reconcile": func(t *rapid.T) { m.reconcile(names.Draw(t, "name")) },
		"land": func(t *rapid.T) {
			if len(m.sent) > 0 {
				m.land(t, rapid.IntRange(0, len(m.sent)-1).Draw(t, "write"))
			}
		},
		"lose": func(*rapid.T) {
			if len(m.sent) > 0 { // nobody heard of it: an error, and it is tried again
				m.due[m.sent[0].name] = true
				m.sent = m.sent[1:]
			}
		},
		"touch": func(t *rapid.T) { // an agent writes its part
			if a := m.live[names.Draw(t, "name")]; a != nil {
				a = a.DeepCopy()
				a.ResourceVersion = m.next()
				m.live[a.Name] = a
			}
		},
		"restart": func(t *rapid.T) {
			m.sent = nil
			for i := range modelAttachments {
				m.sync(strconv.Itoa(i)) // a cache is filled before it is used
			}
			m.start()
		},
		"": func(t *rapid.T) { m.check(t) },
	})
	m.settle(t)
	m.check(t)
	held := map[string]int{}
	for _, p := range m.held {
		for _, h := range p.held { // one more than on record, where it was never heard what became of a write
			held[h.on.name.Name]++
		}
	}
	for name, a := range m.live {
		if to := m.wants[name]; to != "" && held[to] < modelKeys && (a.Status.Network == nil || a.Status.Network.Name != to) {
			t.Fatalf("%s waits for %s, where %d of %d keys are held", name, to, held[to], modelKeys)
		}
		if m.wants[name] == "" && a.Status.Network != nil {
			t.Fatalf("%s has a port still", name)
		}
	}
	for owner, p := range m.held {
		a := m.live[owner.Name]
		if a == nil || a.UID != p.uid {
			t.Fatalf("%s is gone, and holds keys still", owner.Name)
		}
		on, has := a.PortNetwork()
		for _, h := range p.held {
			if p.written == "" && (!has || h.on.name != on) {
				t.Fatalf("%s holds a key on %s, where it is not", owner.Name, h.on.name.Name)
			}
		}
	}
}
