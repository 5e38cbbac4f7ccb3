// Package replica keeps a copy of some tables of Open vSwitch's database, and connects
// again whenever the connection is lost.
package replica

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"

	"l2sm.io/l2sm/internal/wake"
)

// ErrNotConnected says that OVS' database cannot be reached.
var ErrNotConnected = errors.New("not connected to Open vSwitch's database")

const connectTimeout = 5 * time.Second

// Config says what is copied, and who is told. The functions must return quickly.
type Config struct {
	// Endpoint of the database, such as unix:/run/openvswitch/db.sock.
	Endpoint string
	Log      logr.Logger
	// Tables are the models, by the names of their tables.
	Tables map[string]model.Model
	// Monitor names every column: a monitor of all of them receives those of newer
	// schemas too, and libovsdb's cache drops the rest of such an update.
	Monitor func(client.Client) *client.Monitor
	// Begins is called before the rows of a new connection are told. What is gone from the
	// database meanwhile is told to nobody.
	Begins func()
	// Is is called with each row that appears or changes, Gone with each that goes.
	Is, Gone func(row model.Model)
}

// Replica is the copy. Its methods may be called from any goroutine.
type Replica struct {
	config   Config
	schema   model.ClientDBModel
	session  atomic.Pointer[session]
	sessions atomic.Int64
	changed  wake.Signal
}

// session is one connection, monitored: its cache is complete.
type session struct {
	db client.Client
	// lost is closed when the connection ends.
	lost <-chan struct{}
}

// New returns a replica that is not connected: see Start.
func New(config Config) (*Replica, error) {
	schema, err := model.NewClientDBModel("Open_vSwitch", config.Tables)
	if err != nil {
		return nil, fmt.Errorf("build model of Open vSwitch's database: %w", err)
	}
	return &Replica{config: config, schema: schema}, nil
}

// Start connects, and connects again whenever the connection is lost, until ctx
// ends.
func (r *Replica) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		s, err := backoff.RetryNotifyWithData(func() (*session, error) { return r.connect(ctx) },
			backoff.WithContext(forever(), ctx), r.logFailure())
		if err != nil {
			return nil //nolint:nilerr // ctx ended before a connection came about
		}
		r.config.Log.Info("connected to Open vSwitch", "endpoint", r.config.Endpoint)
		r.serve(ctx, s)
	}
	return nil
}

// forever is a back-off that never gives up.
func forever() backoff.BackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(50*time.Millisecond),
		backoff.WithMaxInterval(time.Second), backoff.WithMaxElapsedTime(0))
}

// logFailure logs the first of a row of failures: the others say the same.
func (r *Replica) logFailure() backoff.Notify {
	logged := false
	return func(err error, _ time.Duration) {
		if !logged {
			r.config.Log.Info("Open vSwitch is not reachable yet", "endpoint", r.config.Endpoint, "error", err.Error())
			logged = true
		}
	}
}

// serve offers the session until it or ctx ends.
func (r *Replica) serve(ctx context.Context, s *session) {
	r.session.Store(s)
	r.sessions.Add(1)
	r.changed.Raise()
	select {
	case <-ctx.Done():
	case <-s.lost:
		r.config.Log.Info("lost the connection to Open vSwitch", "endpoint", r.config.Endpoint)
	}
	r.session.Store(nil)
	r.changed.Raise()
	s.db.Close()
}

// connect leaves reconnecting to Start: a new session begins with an empty
// cache, while libovsdb's own way waits inside each call by polling.
func (r *Replica) connect(ctx context.Context) (*session, error) {
	attempt, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	db, err := client.NewOVSDBClient(r.schema, client.WithEndpoint(r.config.Endpoint), client.WithLogger(&r.config.Log))
	if err != nil {
		return nil, backoff.Permanent(fmt.Errorf("make client of %q: %w", r.config.Endpoint, err))
	}
	failed := make(chan struct{})
	lost := notifyLost(db, failed)
	if err := r.open(attempt, db); err != nil {
		close(failed)
		db.Close()
		return nil, err
	}
	return &session{db: db, lost: lost}, nil
}

// notifyLost listens before there is a connection: libovsdb tells of its end
// only those who listen at that moment. It stops listening when failed is
// closed.
func notifyLost(db client.Client, failed <-chan struct{}) <-chan struct{} {
	lost := make(chan struct{})
	go func() {
		select {
		case <-db.DisconnectNotify():
			close(lost)
		case <-failed:
		}
	}()
	return lost
}

func (r *Replica) open(ctx context.Context, db client.Client) error {
	if err := db.Connect(ctx); err != nil {
		return fmt.Errorf("connect to %q: %w", r.config.Endpoint, err)
	}
	r.config.Begins()
	is := func(row model.Model) { r.config.Is(row); r.changed.Raise() }
	db.Cache().AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(_ string, row model.Model) { is(row) },
		UpdateFunc: func(_ string, _, row model.Model) { is(row) },
		DeleteFunc: func(_ string, row model.Model) { r.config.Gone(row); r.changed.Raise() },
	})
	if _, err := db.Monitor(ctx, r.config.Monitor(db)); err != nil {
		return fmt.Errorf("monitor %q: %w", r.config.Endpoint, err)
	}
	return nil
}

// Sessions counts the connections so far. When it grows, anything may have
// changed in between.
func (r *Replica) Sessions() int64 { return r.sessions.Load() }

// Changed returns a channel that is closed at the next change of a row, and when a
// connection begins or ends.
func (r *Replica) Changed() <-chan struct{} { return r.changed.Next() }
