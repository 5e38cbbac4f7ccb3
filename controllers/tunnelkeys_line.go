package controllers

import (
	"container/list"

	"k8s.io/apimachinery/pkg/types"
)

// line is who waits for a key, in the order of their refusals. As many are woken as
// keys are freed; one that is woken and does not take its key passes it on. The
// zero value is empty and ready for use.
type line struct{ *waiters }

type waiters struct {
	order list.List
	place map[types.NamespacedName]*list.Element // nil for one that was woken
}

func (l *line) empty() bool { return l.waiters == nil }

func (l *line) has(who types.NamespacedName) bool {
	if l.empty() {
		return false
	}
	_, is := l.place[who]
	return is
}

// join puts one that is refused at the line's end.
func (l *line) join(who types.NamespacedName) {
	if l.empty() {
		l.waiters = &waiters{place: map[types.NamespacedName]*list.Element{}}
	}
	if l.place[who] == nil {
		l.place[who] = l.order.PushBack(who)
	}
}

// leave is for one that has its key, or does not want it any more, and says whether
// it was woken.
func (l *line) leave(who types.NamespacedName) (woken bool) {
	if !l.has(who) {
		return false
	}
	at := l.place[who]
	if at != nil {
		l.order.Remove(at)
	}
	if delete(l.place, who); len(l.place) == 0 {
		l.waiters = nil
	}
	return at == nil
}

// next is the first that waits, if a key is free for it: it is to be woken.
func (l *line) next(free bool) (who types.NamespacedName, waits bool) {
	if !free || l.empty() || l.order.Len() == 0 {
		return who, false
	}
	who = l.order.Remove(l.order.Front()).(types.NamespacedName)
	l.place[who] = nil
	return who, true
}
