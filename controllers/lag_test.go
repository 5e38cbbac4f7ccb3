//go:build integration

package controllers_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// lag is a network between the API server and the controller that is late with
// some of the watches' events, and with all that come after in the same watch.
// It counts what the controller asks.
type lag struct {
	mu   sync.Mutex
	late func(event string) bool
	done chan struct{} // closed when nothing is late any more
	// calls are the controller's requests by their verb and resource, as in
	// "POST l2attachments".
	calls map[string]int
}

// count notes a request.
func (l *lag) count(r *http.Request) {
	kinds := regexp.MustCompile(`/(pods|events|l2attachments|l2edges|l2networks|network-attachment-definitions)\b`).FindStringSubmatch(r.URL.Path)
	if kinds == nil || r.URL.Query().Get("watch") != "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = map[string]int{}
	}
	l.calls[r.Method+" "+kinds[1]]++
}

// counted is how often the controller has made such a request.
func (l *lag) counted(call string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[call]
}

// requests is how often the controller has made any.
func (l *lag) requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := 0
	for _, calls := range l.calls {
		all += calls
	}
	return all
}

// hold keeps back events, in each watch from the first on that is late, until
// release is called.
func (l *lag) hold(late func(event string) bool) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := make(chan struct{})
	l.late, l.done = late, done
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.late = nil
		close(done)
	}
}

// wrap puts the lag into a client's transport.
func (l *lag) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		l.count(r)
		response, err := next.RoundTrip(r)
		if err == nil && r.URL.Query().Get("watch") != "" && strings.Contains(response.Header.Get("Content-Type"), "json") {
			response.Body = &lateBody{lag: l, body: response.Body, events: bufio.NewReader(response.Body), closed: make(chan struct{})}
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// lateBody is a watch's answer: one event in JSON each line.
type lateBody struct {
	*lag
	body   io.Closer
	events *bufio.Reader
	next   bytes.Buffer
	once   sync.Once
	closed chan struct{}
}

func (b *lateBody) Read(p []byte) (int, error) {
	if b.next.Len() == 0 {
		event, err := b.events.ReadBytes('\n')
		if err != nil {
			return 0, err
		}
		b.wait(string(event))
		b.next.Write(event)
	}
	return b.next.Read(p)
}

func (b *lateBody) wait(event string) {
	b.mu.Lock()
	late, done := b.late != nil && b.late(event), b.done
	b.mu.Unlock()
	if !late {
		return
	}
	select {
	case <-done:
	case <-b.closed:
	}
}

func (b *lateBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.body.Close()
}
