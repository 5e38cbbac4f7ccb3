// Package upgrade holds the script that brings an installation to another version;
// only its tests are Go.
package upgrade
