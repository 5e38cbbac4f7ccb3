package ovn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-logr/logr"
)

// ErrNotConnected says that no server of the database answers at present.
var ErrNotConnected = errors.New("not connected to the OVN database")

// Config says where an OVN database is and how to talk to it.
type Config struct {
	// Endpoints are the database's servers, as ovsdb(7) spells active
	// connections: "tcp:HOST:PORT", "ssl:HOST:PORT" or "unix:/PATH". They are
	// tried in turn, without end. Any member of a raft cluster will do: followers
	// forward transactions to their leader.
	Endpoints []string

	// TLS is what "ssl:" endpoints need.
	TLS *tls.Config

	// Logger tells of connections made and lost. The zero value is silent.
	Logger logr.Logger

	// ProbeInterval is how often the server must show that it lives, 5 s when
	// zero. A server that leaves a probe unanswered for as long again is given
	// up for the next endpoint.
	ProbeInterval time.Duration
}

const defaultProbeInterval = 5 * time.Second

// complete checks the configuration and fills in what has a default.
func (c Config) complete() (Config, error) {
	if len(c.Endpoints) == 0 {
		return Config{}, errors.New("no endpoint given")
	}
	for _, e := range c.Endpoints {
		if err := c.check(e); err != nil {
			return Config{}, fmt.Errorf("endpoint %q: %w", e, err)
		}
	}
	if c.ProbeInterval <= 0 {
		c.ProbeInterval = defaultProbeInterval
	}
	return c, nil
}

func (c Config) check(endpoint string) error {
	method, address, _ := strings.Cut(endpoint, ":")
	switch {
	case method != "tcp" && method != "ssl" && method != "unix":
		return errors.New(`want "tcp:HOST:PORT", "ssl:HOST:PORT" or "unix:/PATH"`)
	case method == "unix" && !strings.HasPrefix(address, "/"):
		return errors.New("want an absolute path")
	case method == "ssl" && c.TLS == nil:
		return errors.New("no certificates given")
	case method == "unix":
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return err
	}
	return nil
}
