// Package uninstall holds what removes l2sm from a cluster, and its tests.
package uninstall
