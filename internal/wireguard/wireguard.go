// Package wireguard is the WireGuard device of an edge node, through which all goes that
// goes between edges (docs/designs/stretch.md, "Encryption").
//
// It is the kernel's where Open vSwitch's datapath is the kernel's and the kernel has
// WireGuard. Else wireguard-go runs in this process, behind a TAP device.
package wireguard

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/go-logr/logr"
)

const (
	// Link is the device.
	Link = "l2sm-wg"
	// Bridge is, on Open vSwitch's userspace datapath, the bridge of which the device is a
	// port. Others make it.
	Bridge = "br-edge-wg"
	// Overhead4 and Overhead6 are the bytes that WireGuard adds to a packet over IPv4 and
	// over IPv6.
	Overhead4, Overhead6 = 60, 80
	// MaxPeers bounds a Config.
	MaxPeers = 128
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
	// MTU of the way outside, in bytes.
	MTU   int
	Peers []Peer
	// Bridged is for Open vSwitch's userspace datapath: the device is a port of Bridge,
	// which has addresses and routes.
	Bridged bool
}

// Device is the WireGuard device of this node. Its methods may be called at once.
type Device struct {
	log logr.Logger
}

// New returns the device without making it.
func New(log logr.Logger) *Device { return &Device{log: log} }

// Bring makes the device, and brings its key, port and peers in line. What is right stays
// as it is: no session is interrupted by a call that changes nothing of it. A key that two
// endpoints list is the first one's, in the order of addresses; the rest is done, and the
// error is (errors.As) a SharedKeyError.
func (d *Device) Bring(ctx context.Context, c Config) error {
	return errors.New("not there yet")
}

// Address gives the link that carries them, Bridge or Link, its MTU, its address and the
// routes to the peers', and takes those away that are not wanted. The error matches
// ErrNoLink while Bridge is not there.
func (d *Device) Address(ctx context.Context, c Config) error {
	return errors.New("not there yet")
}

// Choose has each of the silent endpoints sent to with that of its keys which has shaken
// hands last. It says whether that is another than before for any.
func (d *Device) Choose(ctx context.Context, silent []netip.Addr) (bool, error) {
	return false, errors.New("not there yet")
}

// Remove takes the device away with its addresses and routes.
func (d *Device) Remove() error { return nil }

// Kernel says whether the device is the kernel's.
func (d *Device) Kernel() bool { return false }

// SharedKeyError says that two endpoints list one key: WireGuard tells edges apart by it.
type SharedKeyError struct {
	Key Key
	// First has it, Second has not.
	First, Second netip.Addr
}

func (e *SharedKeyError) Error() string {
	return "public key " + e.Key.String() + " is listed for " + e.First.String() + " and for " + e.Second.String() +
		", and only used for the first: every edge has keys of its own, see status.nodes of its cluster's L2Edge"
}
