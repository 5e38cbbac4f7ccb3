package ovn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// How long a server may take to accept a connection, and to send the tables.
const (
	connectTimeout = 3 * time.Second
	monitorTimeout = 30 * time.Second
)

// operationPatience is how much longer a server may take to answer for each
// operation of a transaction.
const operationPatience = 5 * time.Millisecond

// duplicateUUID is ovsdb-server's error for a row that was created with a UUID
// that is there. libovsdb has no type for it.
const duplicateUUID = "duplicate uuid"

// errConflict says that the database refused a transaction because it is not
// as the cache said. The cache has caught up by then: ovsdb-server sends what
// others changed before it answers.
var errConflict = errors.New("database has changed meanwhile")

// errClosed says that the server ended the connection.
var errClosed = errors.New("closed by the server")

// session is one connection to one server, with the replica that it filled.
// It never reconnects: what was read from a session can only be acted upon
// through that same session, so that nothing is decided by the contents of
// one database and done to another (one that was wiped, say).
type session struct {
	client client.Client
	cache  *cache.TableCache
	strays *strays
	ctx    context.Context // ends with the session
	end    context.CancelCauseFunc

	// How long the server may take to answer.
	patience time.Duration
}

// open connects to one endpoint and fills the replica.
func open(ctx context.Context, cfg Config, endpoint string, db database) (*session, error) {
	logger := cfg.Logger.WithName("libovsdb")
	c, err := client.NewOVSDBClient(db.model,
		client.WithEndpoint(endpoint), client.WithTLSConfig(cfg.TLS), client.WithLogger(&logger))
	if err != nil {
		return nil, err
	}

	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := c.Connect(connecting); err != nil {
		return nil, err
	}

	monitoring, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	if _, err := c.Monitor(monitoring, c.NewMonitor(db.tables...)); err != nil {
		c.Close()
		return nil, fmt.Errorf("monitor: %w", err)
	}

	s := &session{client: c, cache: c.Cache(), strays: straysIn(c.Cache(), db.kinds), patience: cfg.ProbeInterval}
	s.ctx, s.end = context.WithCancelCause(ctx)
	return s, nil
}

// hold returns when the session has ended: ctx is done, somebody ended it, the
// server closed it, or a probe was not answered. It leaves nothing behind.
func (s *session) hold() error {
	defer s.client.Close()

	ticker := time.NewTicker(s.patience)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case <-s.client.DisconnectNotify():
			s.end(errClosed)
		case <-ticker.C:
			if err := s.echo(); err != nil {
				s.end(fmt.Errorf("probe: %w", err))
			}
		}
	}
}

// echo asks the server for a sign of life. It also notices a disconnection
// whose notification came while hold was not listening: libovsdb sends it once
// and does not wait.
func (s *session) echo() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	return s.client.Echo(ctx)
}

// transact commits the operations, or none of them. With [ErrNotConnected] it
// is unknown which, and the session has ended: a server that does not answer
// may hang, or may be cut off from its cluster.
func (s *session) transact(ctx context.Context, ops []ovsdb.Operation) error {
	_, err := s.ask(ctx, ops)
	return err
}

// ask is transact, for the answers.
func (s *session) ask(ctx context.Context, ops []ovsdb.Operation) ([]ovsdb.OperationResult, error) {
	// A call under way holds the lock that closing the client takes: it has to
	// end with the session.
	calling, cancel := context.WithTimeout(ctx, s.patience+time.Duration(len(ops))*operationPatience)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()

	results, err := s.client.Transact(calling, ops...)
	if err == nil {
		return results, check(results, ops)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.end(fmt.Errorf("transact: %w", err))
	return nil, fmt.Errorf("%w: transact: %w", ErrNotConnected, err)
}

// check turns the results of a transaction into one error.
func check(results []ovsdb.OperationResult, ops []ovsdb.Operation) error {
	for _, r := range results {
		if r.Error == duplicateUUID {
			return fmt.Errorf("%w: %s", errConflict, r.Details)
		}
	}
	failed, err := ovsdb.CheckOperationResults(results, ops)
	if err == nil {
		return nil
	}
	for _, f := range failed {
		err = f
	}

	var timedOut *ovsdb.TimedOut
	var violation *ovsdb.ConstraintViolation
	if errors.As(err, &timedOut) || errors.As(err, &violation) {
		return fmt.Errorf("%w: %w", errConflict, err)
	}
	return err
}

// database is what this package reads of one database.
type database struct {
	model  model.ClientDBModel
	tables []client.MonitorOption
	kinds  []kind // of rows that serve networks
}
