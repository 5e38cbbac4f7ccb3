package agent

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/internal/ovs"
)

// life is the key of the lock of one life of a pod, of which uid is the UID that
// the API or the runtime knows: a static pod has one of each. Pods that follow
// each other under one name do not wait for each other's calls, which may be
// retries for a life that is over. The name is in the key, too, since a pod's
// annotations could claim another pod's UID.
func (a *Agent) life(pod types.NamespacedName, uid string) string {
	return lifeOf(pod, uid, a.node.Pod(pod))
}

// lifeOf is life, of what the API has under the pod's name: nil for none.
func lifeOf(pod types.NamespacedName, uid string, now *corev1.Pod) string {
	if now != nil && uid == string(now.UID) {
		uid = sandboxUID(now)
	}
	return pod.String() + "/" + uid
}

// lifeIn is the life of a pod that a sandbox is of.
func (a *Agent) lifeIn(s ovs.Sandbox) string {
	return a.life(types.NamespacedName{Namespace: s.PodNamespace, Name: s.PodName}, s.PodUID)
}

// locks is one lock per key. Its zero value is ready for use.
type locks struct {
	mu   sync.Mutex
	held map[string]*heldLock
}

type heldLock struct {
	// token is full while the lock is free.
	token chan struct{}
	users int
}

// acquire returns when the caller holds the key's lock, with what gives it
// back, or when ctx ends.
func (l *locks) acquire(ctx context.Context, key string) (func(), error) {
	h := l.join(key)
	select {
	case <-h.token:
		return func() {
			h.token <- struct{}{}
			l.leave(key, h)
		}, nil
	case <-ctx.Done():
		l.leave(key, h)
		return nil, context.Cause(ctx)
	}
}

func (l *locks) join(key string) *heldLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]*heldLock{}
	}
	h := l.held[key]
	if h == nil {
		h = &heldLock{token: make(chan struct{}, 1)}
		h.token <- struct{}{}
		l.held[key] = h
	}
	h.users++
	return h
}

func (l *locks) leave(key string, h *heldLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.users--
	if h.users == 0 {
		delete(l.held, key)
	}
}
