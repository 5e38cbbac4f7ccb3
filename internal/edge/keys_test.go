package edge

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestKeys(t *testing.T) {
	made, err := complete(nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{Data: made}
	first, have := ownKeysIn(secret, 1)
	if !have || len(made) != 2 || first.current.Equal(first.next) {
		t.Fatalf("a new Secret has %d keys", len(made))
	}
	if _, have := ownKeysIn(nil, 1); have {
		t.Error("without a Secret there are keys")
	}
	if _, have := ownKeysIn(secret, 2); have {
		t.Error("a key that is not there is one")
	}

	// The next generation: what was the next key is the one in use.
	changes, err := complete(secret, 2)
	if err != nil {
		t.Fatal(err)
	}
	if gone, is := changes["key-1"]; !is || gone != nil || changes["key-2"] != nil || len(changes["key-3"]) == 0 {
		t.Errorf("for generation 2 is written: %d changes; want key-1 to go, key-2 to stay, key-3 to come", len(changes))
	}
	secret.Data["key-3"] = changes["key-3"]
	second, have := ownKeysIn(secret, 2)
	if !have || !second.current.Equal(first.next) || second.public()[0] != first.public()[1] {
		t.Error("generation 2 does not use the key that was told as the next one")
	}

	// What can't be read is made again, and what can stays.
	secret.Data["key-3"] = []byte("not a key")
	changes, err = complete(secret, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(changes["key-3"]) == 0 || slices.Equal(changes["key-3"], secret.Data["key-3"]) || changes["key-2"] != nil {
		t.Error("a key that can't be read is not made again")
	}
}
