package ovn

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/go-logr/logr"
)

// ErrNotConnected says that no server of the database could be reached.
var ErrNotConnected = errors.New("not connected")

// ForeignError says that a row has a name of ours and is not ours.
type ForeignError struct {
	Kind string // "switch" or "port"
	Name string
}

func (e *ForeignError) Error() string { return e.Kind + " " + e.Name + " is not ours" }

// Config says where a database is and how to talk to it.
type Config struct {
	Endpoints     []string
	TLS           *tls.Config
	Logger        logr.Logger
	ProbeInterval time.Duration
}

// Change names what differs from what was last applied.
type Change struct {
	Key Key
	All bool
}

// Result says what an Apply did.
type Result struct {
	Committed                      bool
	Added, Moved, Changed, Removed []string
}

// Client keeps one northbound database.
type Client struct{}

var errStub = errors.New("not written yet")

func Dial(context.Context, Config) (*Client, error)              { return nil, errStub }
func (c *Client) Apply(context.Context, Network) (Result, error) { return Result{}, errStub }
func (c *Client) Delete(context.Context, Key) error              { return errStub }
func (c *Client) Networks() ([]Key, error)                       { return nil, errStub }
func (c *Client) Changes() <-chan Change                         { return nil }
func (c *Client) Connected() bool                                { return false }
func (c *Client) Close()                                         {}

// Southbound lists and removes chassis.
type Southbound struct{}

func DialSouthbound(context.Context, Config) (*Southbound, error) { return nil, errStub }
func (s *Southbound) Chassis() ([]string, error)                  { return nil, errStub }
func (s *Southbound) DeleteChassis(context.Context, string) error { return errStub }
func (s *Southbound) Changes() <-chan struct{}                    { return nil }
func (s *Southbound) Connected() bool                             { return false }
func (s *Southbound) Close()                                      {}
