package compact

import "k8s.io/client-go/tools/cache"

// indexer expands what is read.
type indexer struct{ cache.Indexer }

func (i indexer) Get(o any) (any, bool, error) { return expandOne(i.Indexer.Get(o)) }

func (i indexer) GetByKey(key string) (any, bool, error) { return expandOne(i.Indexer.GetByKey(key)) }

func (i indexer) List() []any { return expandAll(i.Indexer.List()) }

func (i indexer) Index(name string, o any) ([]any, error) {
	all, err := i.Indexer.Index(name, o)
	return expandAll(all), err
}

func (i indexer) ByIndex(name, value string) ([]any, error) {
	all, err := i.Indexer.ByIndex(name, value)
	return expandAll(all), err
}

func (i indexer) AddIndexers(by cache.Indexers) error {
	expanding := cache.Indexers{}
	for name, values := range by {
		expanding[name] = func(o any) ([]string, error) { return values(expand(o)) }
	}
	return i.Indexer.AddIndexers(expanding)
}

func expandOne(o any, is bool, err error) (any, bool, error) { return expand(o), is, err }

// expandAll expands in place: a store's answer is its reader's.
func expandAll(all []any) []any {
	for i, o := range all {
		all[i] = expand(o)
	}
	return all
}
