package nritest

import (
	"io"
	"net"
	"sync"
)

// door stands before the library's socket, so that all connections can end at once,
// as they do with a runtime's process: the library keeps those of plugins.
type door struct {
	net.Listener
	behind string

	mu   sync.Mutex
	open []net.Conn
}

func openDoor(socket, behind string) (*door, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	d := &door{Listener: listener, behind: behind}
	go d.serve()
	return d, nil
}

func (d *door) serve() {
	for {
		outer, err := d.Accept()
		if err != nil {
			return
		}
		inner, err := net.Dial("unix", d.behind)
		if err != nil {
			_ = outer.Close()
			continue
		}
		d.mu.Lock()
		d.open = append(d.open, outer, inner)
		d.mu.Unlock()
		go pass(outer, inner)
		go pass(inner, outer)
	}
}

func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
}

// close ends the connections, too.
func (d *door) close() {
	_ = d.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.open {
		_ = conn.Close()
	}
}
