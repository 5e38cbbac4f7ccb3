// Package heaptest measures, for tests, what is kept in memory.
package heaptest

import "runtime"

// Retained is how many bytes more are live after f: of all that the program has,
// so what the runtime makes for itself meanwhile counts too. Have f make many of
// what is measured.
func Retained(f func()) int {
	before := live()
	f()
	return live() - before
}

func live() int {
	runtime.GC()
	runtime.GC() // what the first one found unused in pools
	stats := runtime.MemStats{}
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
