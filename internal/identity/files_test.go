package identity

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFolder(t *testing.T) {
	dir := folder(filepath.Join(t.TempDir(), "ovn"))
	if got, err := dir.held(); err != nil || !cmp.Equal(got, Held{}) {
		t.Errorf("a folder that is not there holds %v, %v", got, err)
	}
	if err := dir.make(); err != nil {
		t.Fatal(err)
	}
	// What writes that were cut short left, and what somebody put there by hand.
	for _, name := range []string{"..version-1/tls.crt", "tls.key.new/x", "..data.new/y", "tls.crt"} {
		if err := os.MkdirAll(filepath.Dir(dir.path(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir.path(name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, letter := range []string{"a", "b", "b"} {
		want := Held{Key: []byte("key " + letter), Certificate: []byte("certificate " + letter), Control: []byte("ca " + letter)}
		if err := dir.store(want); err != nil {
			t.Fatal(err)
		}
		if got, err := dir.held(); err != nil || !cmp.Equal(got, want) {
			t.Errorf("stored %s, holds %s, %v", want, got, err)
		}
		if got := names(t, dir); !slices.Equal(got, []string{"..data", "..version", "ca.crt", "tls.crt", "tls.key"}) {
			t.Errorf("the folder has %v", got)
		}
		for _, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
			if to, err := os.Readlink(dir.path(name)); err != nil || to != "..data/"+name {
				t.Errorf("%s leads to %q (%v): it would not change with the others", name, to, err)
			}
			if info, err := os.Stat(dir.path(name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v (%v)", name, info.Mode(), err)
			}
		}
	}
}

// names are those in the folder, of versions without their number.
func names(t *testing.T, dir folder) []string {
	t.Helper()
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		name := e.Name()
		if ok, _ := filepath.Match("..version-*", name); ok {
			name = "..version"
		}
		all = append(all, name)
	}
	return all
}

func TestPendingKey(t *testing.T) {
	k := Keeper{Dir: t.TempDir()}
	first, text, err := k.pending()
	if err != nil {
		t.Fatal(err)
	}
	again, same, err := k.pending()
	if err != nil || string(same) != string(text) {
		t.Fatalf("another key while one waits (%v)", err)
	}
	one, err := newRequest("a", first)
	if err != nil {
		t.Fatal(err)
	}
	two, err := newRequest("a", again)
	if err != nil || one.Name != two.Name {
		t.Errorf("one key asks as %s and as %s (%v)", one.Name, two.Name, err)
	}
	if err := os.WriteFile(folder(k.Dir).path(pendingKey), []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, text, err := k.pending(); err != nil || string(text) == "half a k" {
		t.Errorf("a key that can't be read is kept (%v)", err)
	}
	if err := folder(k.Dir).dropPending(); err != nil {
		t.Fatal(err)
	}
	if _, next, err := k.pending(); err != nil || string(next) == string(text) {
		t.Errorf("the key of a request that is done is used again (%v)", err)
	}
}
