// Package ovnnode holds what runs Open vSwitch and ovn-controller on nodes; only
// its tests are Go.
package ovnnode
