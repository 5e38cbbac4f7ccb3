//go:build integration

package central_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// client is a connection to a database, in OVSDB's protocol (RFC 7047).
type client struct {
	net.Conn
	answers *json.Decoder
}

// message is a request or an answer.
type message struct {
	ID     any             `json:"id"`
	Method string          `json:"method,omitempty"`
	Params any             `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  any             `json:"error"`
}

// dial connects as a client. With TLS 1.3 a server's refusal comes with the first
// answer, so one is asked for.
func (c *central) dial(as identity, port string) (*client, error) {
	c.t.Helper()
	pair, err := tls.LoadX509KeyPair(as.certificate, as.key)
	if err != nil {
		c.t.Fatal(err)
	}
	authorities, err := os.ReadFile(as.ca)
	if err != nil {
		c.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authorities)
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 3 * time.Second}, "tcp", net.JoinHostPort(c.address, port), &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots,
		// Also a certificate of an authority that the server does not ask for.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	})
	if err != nil {
		return nil, err
	}
	cl := &client{conn, json.NewDecoder(conn)}
	if _, err := cl.call("list_dbs"); err != nil {
		_ = conn.Close()
		return nil, err
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	return cl, nil
}

// socket connects to one of the pod's sockets, with all rights.
func (c *central) socket(name string) *client {
	c.t.Helper()
	conn, err := net.Dial("unix", filepath.Join(c.root, "run/ovn", name))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	return &client{conn, json.NewDecoder(conn)}
}

func (c *client) call(method string, params ...any) (json.RawMessage, error) {
	if params == nil {
		params = []any{}
	}
	if err := json.NewEncoder(c).Encode(message{ID: 1, Method: method, Params: params}); err != nil {
		return nil, err
	}
	m, err := c.next(time.Now().Add(patience))
	if err == nil && m.Error != nil {
		err = fmt.Errorf("%s: %v", method, m.Error)
	}
	return m.Result, err
}

// next returns the next answer. It says that the client lives when it is asked.
func (c *client) next(deadline time.Time) (message, error) {
	_ = c.SetReadDeadline(deadline)
	for {
		var m message
		if err := c.answers.Decode(&m); err != nil {
			return m, err
		}
		if m.Method != "echo" {
			return m, nil
		}
		if err := json.NewEncoder(c).Encode(map[string]any{"id": m.ID, "result": m.Params, "error": nil}); err != nil {
			return m, err
		}
	}
}

// operation is one of RFC 7047, section 5.2; answer is what it gave.
type (
	operation map[string]any
	answer    struct {
		Error, Details string
		Rows           []map[string]any
		Count          int
	}
)

// transact returns an answer for each operation that was reached.
func (c *client) transact(database string, operations ...operation) ([]answer, error) {
	params := []any{database}
	for _, o := range operations {
		params = append(params, o)
	}
	result, err := c.call("transact", params...)
	if err != nil {
		return nil, err
	}
	var answers []*answer
	if err := json.Unmarshal(result, &answers); err != nil {
		return nil, fmt.Errorf("%s: %w", result, err)
	}
	var all []answer
	for _, a := range answers {
		if a != nil {
			all = append(all, *a)
		}
	}
	return all, nil
}
