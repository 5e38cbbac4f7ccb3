// Package wireguard is the WireGuard device of an edge node, through which all goes that
// goes between edges (docs/designs/stretch.md, "Encryption").
//
// It is the kernel's where Open vSwitch's datapath is the kernel's and the kernel has
// WireGuard. Else wireguard-go runs in this process, behind a TAP device.
package wireguard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

const (
	// Link is the device.
	Link = "l2sm-wg"
	// Bridge is, on Open vSwitch's userspace datapath, the bridge of which the device is a
	// port. Others make it.
	Bridge = "br-edge-wg"
	// Overhead4 is the bytes that WireGuard adds to a packet over IPv4.
	Overhead4 = 60
	// Overhead6 is the bytes that it adds over IPv6.
	Overhead6 = 80
	// MaxPeers bounds a Config.
	MaxPeers = 128
	// MaxKeys bounds a Peer.
	MaxKeys = 8
)

var (
	// NearMAC is the MAC address of this side of a TAP device: its own, or, where it is a
	// port of Bridge, the bridge's (other-config:hwaddr).
	NearMAC = net.HardwareAddr{0x02, 0x6c, 0x32, 0x73, 0x6d, 0x00}
	// FarMAC is the one of all that is behind it.
	FarMAC = net.HardwareAddr{0x02, 0x6c, 0x32, 0x73, 0x6d, 0x01}
)

// ErrNoLink says that Bridge is not there yet.
var ErrNoLink = errors.New("no such link yet")

// Peer is an edge of another side.
type Peer struct {
	// Endpoint is where it is reached, on the way outside.
	Endpoint netip.Addr
	// Keys of which any may be the one in use.
	Keys []Key
}

// Config is what the device should be.
type Config struct {
	PrivateKey PrivateKey
	// Local is where peers reach this edge.
	Local netip.Addr
	// Port is UDP's, this edge's and the peers'.
	Port uint16
	// BGP is TCP's port, within the tunnel: 179 where it is 0.
	BGP uint16
	// MTU of the way outside, in bytes.
	MTU   int
	Peers []Peer
	// Bridged is for Open vSwitch's userspace datapath: the device is a port of Bridge,
	// which has addresses and routes.
	Bridged bool
}

// minMTU is IPv6's (RFC 8200, section 5): a link with less has no IPv6.
const minMTU = 1280

// inner is the MTU within WireGuard.
func (c Config) inner() int {
	if c.Local.Unmap().Is4() {
		return c.MTU - Overhead4
	}
	return c.MTU - Overhead6
}

// check bounds what the kernel and wireguard-go are given.
func (c Config) check() error {
	switch {
	case !c.Local.IsValid():
		return errors.New("no address at which peers reach this edge")
	case c.PrivateKey.key == nil:
		return errors.New("no private key")
	case c.Port == 0:
		return errors.New("no UDP port")
	case len(c.Peers) > MaxPeers:
		return fmt.Errorf("%d peers, want %d at most", len(c.Peers), MaxPeers)
	case c.inner() < minMTU:
		return fmt.Errorf("an MTU of %d bytes between edges leaves %d within WireGuard, and IPv6, which edges speak there, needs %d: set mtu of L2Edge to %d or more, and the network between edges likewise",
			c.MTU, c.inner(), minMTU, c.MTU+minMTU-c.inner())
	}
	for _, p := range c.Peers {
		if !p.Endpoint.IsValid() || p.Endpoint.Zone() != "" {
			return fmt.Errorf("endpoint %q is no address of an edge", p.Endpoint)
		}
		if len(p.Keys) > MaxKeys {
			return fmt.Errorf("endpoint %s has %d public keys, want %d at most", p.Endpoint, len(p.Keys), MaxKeys)
		}
	}
	return nil
}
