// Package admission decides which attachment may be on which network, and has
// the MAC and IP addresses of all networks.
package admission
