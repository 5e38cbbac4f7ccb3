// Package ovntest runs a real ovsdb-server with an empty OVN database for a
// test, as net/http/httptest runs a web server. It starts in some 20 ms.
package ovntest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"l2sm.io/l2sm/ovn/nb"
	"l2sm.io/l2sm/ovn/sb"
)

// timeout bounds every single step: a server that hangs fails its test.
const timeout = 10 * time.Second

// Server is an ovsdb-server with one OVN database of the 23.03 schema. It ends
// with its test, whatever becomes of that. A step that fails fails the test.
type Server struct {
	t   testing.TB
	dir string
	ctl string // ovn-nbctl or ovn-sbctl

	endpoint string
	args     []string // for ovsdb-server, beside those that all have
	create   func()   // makes the database's file
	records  int      // in the file, when nothing had been written yet
	process  *process
}

// NewNorthbound starts a server with an empty northbound database.
func NewNorthbound(t testing.TB, options ...Option) *Server {
	t.Helper()
	return newStandalone(t, nb.SchemaJSON, "ovn-nbctl", options)
}

// NewSouthbound starts a server with an empty southbound database.
func NewSouthbound(t testing.TB, options ...Option) *Server {
	t.Helper()
	return newStandalone(t, sb.SchemaJSON, "ovn-sbctl", options)
}

func newStandalone(t testing.TB, schema, ctl string, options []Option) *Server {
	t.Helper()
	s := newServer(t, schema, ctl, options)
	s.create = func() {
		s.t.Helper()
		run(s.t, "ovsdb-tool", "create", s.path("db"), s.path("schema"))
	}
	s.begin()
	return s
}

// begin makes the database and starts the server. The one global row, which is
// in every database as soon as northd or a command-line tool has seen it, is
// there from the beginning.
func (s *Server) begin() {
	s.t.Helper()
	s.create()
	s.Start()
	s.Ctl("init")
	s.records = s.countRecords()
}

// newServer prepares a server and its end.
func newServer(t testing.TB, schema, ctl string, options []Option) *Server {
	t.Helper()

	// Not t.TempDir: a long test name would not fit into a socket's address.
	dir, err := os.MkdirTemp("", "ovntest")
	if err != nil {
		t.Fatalf("make a folder for the database: %v", err)
	}
	s := &Server{t: t, dir: dir, ctl: ctl}
	t.Cleanup(func() {
		if s.process != nil {
			s.process.kill()
		}
		_ = os.RemoveAll(dir) // what stays is in the system's folder for such things
	})

	if err := os.WriteFile(s.path("schema"), []byte(schema), 0o600); err != nil {
		t.Fatalf("write the schema: %v", err)
	}
	s.endpoint = "unix:" + s.path("db.sock")
	for _, option := range options {
		option(s)
	}
	return s
}

func (s *Server) path(name string) string {
	return filepath.Join(s.dir, name)
}

// Endpoint returns the server's address in the form that clients take. It
// stays the same when the server is stopped and started.
func (s *Server) Endpoint() string {
	return s.endpoint
}

// Start starts the server and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	args := append([]string{
		"--remote=punix:" + s.path("db.sock"), "--unixctl=" + s.path("ctl.sock"),
		"-vconsole:warn", "-vsyslog:off", "-vfile:off",
	}, s.args...)
	s.process = start(s.t, "ovsdb-server", append(args, s.path("db"))...)
	s.awaitListening()
}

// Stop stops the server. Its database stays.
func (s *Server) Stop() {
	s.t.Helper()
	s.process.stop(s.t)
}

// Pid returns the process id of the server that runs.
func (s *Server) Pid() int {
	return s.process.cmd.Process.Pid
}

// Wipe stops the server, replaces its database by an empty one and starts it
// again.
func (s *Server) Wipe() {
	s.t.Helper()
	s.Stop()
	if err := os.Remove(s.path("db")); err != nil {
		s.t.Fatalf("remove the database: %v", err)
	}
	s.begin()
}

// Pause makes the server hang: its connections stay, and it does not answer.
func (s *Server) Pause() {
	s.t.Helper()
	s.process.signal(s.t, syscall.SIGSTOP)
}

// Resume undoes Pause.
func (s *Server) Resume() {
	s.t.Helper()
	s.process.signal(s.t, syscall.SIGCONT)
}

// Ctl runs ovn-nbctl or ovn-sbctl on the database, as somebody would who edits
// it by hand, and returns what it printed.
func (s *Server) Ctl(args ...string) string {
	s.t.Helper()
	common := []string{"--db=unix:" + s.path("db.sock"), "--no-leader-only", "--timeout=10"}
	return run(s.t, s.ctl, append(common, args...)...)
}

// Appctl runs ovs-appctl on the server, for the commands that ovsdb-server(1)
// names as its runtime management, and returns what it printed.
func (s *Server) Appctl(args ...string) string {
	s.t.Helper()
	return run(s.t, "ovs-appctl", append([]string{"--target=" + s.path("ctl.sock")}, args...)...)
}

// Get returns a column of a row, as ovn-nbctl(8)'s or ovn-sbctl(8)'s get
// prints it.
func (s *Server) Get(table, record, column string) string {
	s.t.Helper()
	return strings.TrimSpace(s.Ctl("get", table, record, column))
}

// Commits returns how many transactions have changed the database since it was
// created or wiped.
func (s *Server) Commits() int {
	s.t.Helper()
	return s.countRecords() - s.records
}

// countRecords counts the transactions in the database's file, which is a log.
func (s *Server) countRecords() int {
	s.t.Helper()
	log, err := os.ReadFile(s.path("db"))
	if err != nil {
		s.t.Fatalf("read the database: %v", err)
	}
	return bytes.Count(log, []byte("OVSDB JSON "))
}
