package ovn

import (
	"context"
	"fmt"
	"strings"
)

// Contents are the rows of a northbound database that are ours, by their
// external_ids or by the form of their names.
type Contents struct {
	Switches []ListedSwitch `json:"switches"`
	Ports    []ListedPort   `json:"ports"`
	DHCP     []ListedDHCP   `json:"dhcp"`
	ACLs     []ListedACL    `json:"acls"`
}

// ListedSwitch is a row of Logical_Switch. Network is zero where no
// external_ids tell of one.
type ListedSwitch struct {
	Name    string `json:"name"`
	Network Key    `json:"network"`
	UID     string `json:"uid"`
	// TunnelKey is the one that is requested, zero for none.
	TunnelKey int `json:"tunnelKey,omitempty"`
}

// ListedPort is a port on one switch: a row of Logical_Switch_Port, listed once
// for each switch that has it.
type ListedPort struct {
	Port
	Switch  string `json:"switch"`
	Network Key    `json:"network"`
	UID     string `json:"uid"`
	// DHCP are the subnets of the sets of options that it refers to.
	DHCP []string `json:"dhcp,omitempty"`
}

// ListedDHCP is a row of DHCP_Options.
type ListedDHCP struct {
	DHCP
	Network Key    `json:"network"`
	UID     string `json:"uid"`
}

// ListedACL is a row of ACL. Port is the port that it is for, empty for all of
// the network.
type ListedACL struct {
	Network   Key    `json:"network"`
	UID       string `json:"uid"`
	Port      string `json:"port,omitempty"`
	Direction string `json:"direction"`
	Priority  int    `json:"priority"`
	Match     string `json:"match"`
	Action    string `json:"action"`
}

// Listed are the rows that make up the network.
func (n Network) Listed() Contents {
	var c Contents
	for _, k := range kinds {
		k.listed(n, &c)
	}
	return c
}

// ReadNorthbound reads a northbound database once. It waits for a connection
// until ctx is done.
func ReadNorthbound(ctx context.Context, cfg Config) (Contents, error) {
	db, err := northboundDatabase()
	if err != nil {
		return Contents{}, fmt.Errorf("build northbound model: %w", err)
	}
	var contents Contents
	err = read(ctx, cfg, db, func(s *session) { contents = replicaOf(s).contents() })
	if err != nil {
		return Contents{}, fmt.Errorf("read northbound database: %w", err)
	}
	return contents, nil
}

// Contents are the rows of ours that the client's copy of the database has. Without a
// connection the error is [ErrNotConnected].
func (c *Client) Contents() (Contents, error) {
	s, err := c.conn.now()
	if err != nil {
		return Contents{}, fmt.Errorf("list northbound rows: %w", err)
	}
	contents := replicaOf(s).contents()
	if s.ctx.Err() != nil {
		return Contents{}, fmt.Errorf("list northbound rows: %w", ErrNotConnected)
	}
	return contents, nil
}

// read has look read what a connection of its own has of the database.
func read(ctx context.Context, cfg Config, db database, look func(*session)) error {
	conn, err := dial(ctx, cfg, db, func(*session) {})
	if err != nil {
		return err
	}
	defer conn.close()
	s, err := conn.wait(ctx)
	if err != nil {
		return err
	}
	look(s)
	// A cache that a lost connection emptied is not a database without rows.
	if s.ctx.Err() != nil {
		return ErrNotConnected
	}
	return nil
}

func (r replica) contents() Contents {
	var c Contents
	for _, k := range kinds {
		k.list(r, &c)
	}
	return c
}

// listed says whether a row is ours, or looks so.
func listed(ids map[string]string, name string) bool {
	return isOurs(ids) || strings.HasPrefix(name, namePrefix)
}
