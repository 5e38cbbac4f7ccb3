package edge

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/wireguard"
)

// ownKeys are this node's private keys: the one in use, and the next one, which peers know
// before it is used.
type ownKeys struct{ current, next wireguard.PrivateKey }

// keyName is that of a generation's key in the node's Secret.
func keyName(generation int32) string { return fmt.Sprintf("key-%d", generation) }

// ownKeysIn reads the node's Secret, nil for none, and says whether both are there.
func ownKeysIn(secret *corev1.Secret, generation int32) (keys ownKeys, have bool) {
	if secret == nil {
		return keys, false
	}
	var err, nextErr error
	keys.current, err = wireguard.ParsePrivateKey(string(secret.Data[keyName(generation)]))
	keys.next, nextErr = wireguard.ParsePrivateKey(string(secret.Data[keyName(generation+1)]))
	if err != nil || nextErr != nil {
		return ownKeys{}, false
	}
	return keys, true
}

// public are the keys that others are told.
func (k ownKeys) public() []string {
	return []string{k.current.Public().String(), k.next.Public().String()}
}

// complete is what has to be written so that the Secret has the keys of the generation and
// of the next one: nil takes a former one away. Those that are there and can be read stay.
func complete(secret *corev1.Secret, generation int32) (map[string][]byte, error) {
	write := map[string][]byte{}
	var data map[string][]byte
	if secret != nil {
		data = secret.Data
	}
	for name := range data {
		write[name] = nil
	}
	for _, g := range []int32{generation, generation + 1} {
		name := keyName(g)
		if _, err := wireguard.ParsePrivateKey(string(data[name])); err == nil {
			delete(write, name)
			continue
		}
		key, err := wireguard.GeneratePrivate()
		if err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		write[name] = []byte(key.Text())
	}
	return write, nil
}

// +kubebuilder:rbac:groups="",resources=secrets,namespace=l2sm-edge,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=l2sm.io,resources=l2edges/status,verbs=patch

// keys are this node's. They are made where they are missing, and told to others; what
// is written comes back by the caches, and then has this looked at again.
func (w *worker) keys(ctx context.Context, s settings) (ownKeys, error) {
	name := v1alpha1.WireGuardSecret(w.config.Node)
	secret := w.cache.Secret(name)
	keys, have := ownKeysIn(secret, s.generation)
	if !have {
		write, err := complete(secret, s.generation)
		if err != nil {
			return keys, err
		}
		w.log.Info("Making WireGuard keys", "secret", v1alpha1.EdgeNamespace+"/"+name, "generation", s.generation)
		if secret, err = w.config.API.WriteEdgeKeys(ctx, secret, name, write); err != nil {
			return keys, err
		}
		if keys, have = ownKeysIn(secret, s.generation); !have {
			return keys, fmt.Errorf("secret %s/%s has not the keys that were written", v1alpha1.EdgeNamespace, name)
		}
	}
	if public := keys.public(); !slices.Equal(s.published, public) {
		if err := w.config.API.ApplyEdgeKeys(ctx, w.cache.L2Edge(), w.config.Node, public, manager); err != nil {
			// What peers know goes on; they have to learn the next key some time.
			w.log.Info("Cannot write the public keys into the L2Edge's status; trying again", "error", err.Error())
			time.AfterFunc(patience, w.settingsChanged)
		}
	}
	return keys, nil
}
