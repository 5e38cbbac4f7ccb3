package tunnelkey

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"l2sm.io/l2sm/internal/heaptest"
)

func TestParseRange(t *testing.T) {
	cases := map[string]struct {
		reason, text string
		want         Range
	}{
		"Default": {"what is configured where nothing else is", DefaultNetworks, Range{16000001, 16711682}},
		"One":     {"a range may have one key", "7-7", Range{7, 7}},
		"All":     {"and all that OVN has", "1-16777215", Range{1, MaxNetwork}},
		"Spaces":  {"as people write it", " 10 - 20 ", Range{10, 20}},
		"Zero":    {"OVN has 0 for none", "0-10", Range{}},
		"Large":   {"24 bits are all that a tunnel has", "1-16777216", Range{}},
		"Huge":    {"beyond any number", "1-99999999999999999999", Range{}},
		"Turned":  {"its ends are in order", "20-10", Range{}},
		"Single":  {"a range has two ends", "10", Range{}},
		"Three":   {"and not three", "1-2-3", Range{}},
		"Empty":   {"nothing is no range", "", Range{}},
		"Word":    {"nor is a word", "all", Range{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRange(tc.text)
			if got != tc.want || (err == nil) != (tc.want != Range{}) {
				t.Errorf("%s: got %v, %v, want %v", tc.reason, got, err, tc.want)
			}
			if again, _ := ParseRange(got.String()); err == nil && again != got {
				t.Errorf("%v is printed as %s", got, got)
			}
		})
	}
}

// Keys come in order from where the pool begins, and what was freed comes last.
func TestNextFit(t *testing.T) {
	p := New(Range{10, 15}, 13)
	p.Hold(14)
	take := func() int32 {
		key, ok := p.Take()
		if !ok {
			return 0
		}
		return key
	}
	got := []int32{take(), take()}
	p.Free(13)
	p.Free(14)
	for range 5 {
		got = append(got, take())
	}
	if diff := cmp.Diff([]int32{13, 15, 10, 11, 12, 13, 14}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if key := take(); key != 0 {
		t.Errorf("all are in use, and %d is given out", key)
	}
	p.Free(11)
	if key := take(); key != 11 {
		t.Errorf("got %d, want the one that is free", key)
	}
}

// A range that was configured before has keys that are in use still.
func TestHeldOutsideOfTheRange(t *testing.T) {
	p := New(Range{10, 12}, 99)
	for _, key := range []int32{9, 13, 10_000} {
		if !p.Hold(key) || p.Hold(key) || !p.Has(key) {
			t.Errorf("%d can't be held once", key)
		}
	}
	for want := int32(10); want <= 12; want++ {
		if key, ok := p.Take(); !ok || key != want {
			t.Errorf("got %d, want %d", key, want)
		}
	}
	if _, ok := p.Take(); ok {
		t.Error("the range has three keys")
	}
	if !p.Free(9) || p.Free(9) || p.Has(9) {
		t.Error("9 can't be freed once")
	}
	if _, ok := p.Take(); ok {
		t.Error("what is freed outside of the range is none of it")
	}
}

// Whatever is taken, held, freed and loaded again in whatever order: no key is
// given out twice, none outside of the range, all of them when asked for, and a pool
// that is rebuilt from what is on record is as full as the one before.
func TestPoolProperties(t *testing.T) { rapid.Check(t, checkPool) }

func checkPool(t *rapid.T) {
	keys := Range{5, 5 + rapid.Int32Range(0, 40).Draw(t, "size")}
	any := rapid.Int32Range(1, 60)
	p, record := New(keys, any.Draw(t, "from")), map[int32]bool{}
	inRange := func() (n int) {
		for key := range record {
			if keys.has(key) {
				n++
			}
		}
		return n
	}
	t.Repeat(map[string]func(*rapid.T){
		"take": func(t *rapid.T) {
			key, ok := p.Take()
			if full := inRange() == keys.Size(); ok == full {
				t.Fatalf("took %d, %t, with %d of %d in use", key, ok, inRange(), keys.Size())
			}
			if ok && (record[key] || !keys.has(key)) {
				t.Fatalf("%d is given out twice, or is not of %v", key, keys)
			}
			if ok {
				record[key] = true
			}
		},
		"hold": func(t *rapid.T) {
			key := any.Draw(t, "key")
			if p.Hold(key) == record[key] {
				t.Fatalf("hold %d, which is in use: %t", key, record[key])
			}
			record[key] = true
		},
		"free": func(t *rapid.T) {
			key := any.Draw(t, "key")
			if p.Free(key) != record[key] {
				t.Fatalf("free %d, which is in use: %t", key, record[key])
			}
			delete(record, key)
		},
		"restart": func(t *rapid.T) {
			p = New(keys, any.Draw(t, "from"))
			for key := range record {
				if !p.Hold(key) {
					t.Fatalf("%d is on record once, and can't be held", key)
				}
			}
		},
		"": func(t *rapid.T) {
			for key := int32(0); key < 62; key++ {
				if p.Has(key) != record[key] {
					t.Fatalf("%d is in use: %t, want %t", key, p.Has(key), record[key])
				}
			}
			if p.Empty() != (len(record) == 0) || p.count != inRange() {
				t.Fatalf("empty: %t, %d of the range, with %v", p.Empty(), p.count, record)
			}
		},
	})
}

// looks is how many intervals a pool compares to give out a key, with n in use
// that lie scattered: every second one is free.
func looks(n int32) int {
	count := 0
	p := New(Range{1, 2*n + 2}, 1)
	for key := int32(1); key < 2*n; key += 2 {
		p.Hold(key)
	}
	less := func(a, b Range) bool { count++; return byFirst(a, b) }
	counted := New(p.keys, n)
	counted.used = newUsed(less)
	p.used.Ascend(func(r Range) bool { counted.used.ReplaceOrInsert(r); return true })
	counted.count, count = p.count, 0
	for range 10 {
		key, _ := counted.Take()
		counted.Free(key)
	}
	return count
}

// Giving out a key costs the logarithm of how many are in use: with a hundred times
// as many no more than twice as much.
func TestTakeDoesNotGrow(t *testing.T) {
	few, many := looks(100), looks(10_000)
	if few == 0 || many > 2*few {
		t.Errorf("with 100 networks %d comparisons, with 10,000 %d", few, many)
	}
}

// Thousands of networks have a port or two.
func TestPoolIsSmall(t *testing.T) {
	const n, most = 4_000, 350
	pools := make([]*Pool, n)
	each := heaptest.Retained(func() {
		for i := range pools {
			pools[i] = New(Ports, int32(i+1))
			pools[i].Take()
			pools[i].Take()
		}
	}) / n
	if each > most {
		t.Errorf("a network with two ports holds %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(pools)
}

func BenchmarkTake(b *testing.B) {
	for name, n := range map[string]int{"10": 10, "10000": 10_000, "700000": 700_000} {
		b.Run(name, func(b *testing.B) {
			keys, _ := ParseRange(DefaultNetworks)
			p := New(keys, keys.First)
			held := make([]int32, 0, n)
			for range n {
				key, _ := p.Take()
				held = append(held, key)
			}
			for b.Loop() {
				i := rand.IntN(n)
				p.Free(held[i])
				held[i], _ = p.Take()
			}
		})
	}
}
