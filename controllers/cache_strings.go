package controllers

import "sync"

// Users choose how many different strings there are, and how long they are: 4,096
// of 128 bytes take less than a megabyte.
const (
	maxStrings = 4096
	maxShared  = 128
)

// sharedStrings are strings that objects in the cache have in common: names of
// nodes and namespaces, and what conditions say.
type sharedStrings struct {
	mu  sync.Mutex
	all map[string]string
}

var inCache sharedStrings

// one is the one string of those that are equal. Package unique would forget it
// at the next garbage collection, as nothing but objects has it: a cluster's
// objects come one at a time, over hours.
func one[T ~string](s T) T { return T(inCache.one(string(s))) }

func (s *sharedStrings) one(text string) string {
	if text == "" || len(text) > maxShared {
		return text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, has := s.all[text]; has {
		return first
	}
	if s.all == nil || len(s.all) == maxStrings {
		s.all = map[string]string{} // what objects have stays theirs
	}
	s.all[text] = text
	return text
}
