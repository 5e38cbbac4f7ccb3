// Package central holds the manifests of OVN's central part, and tests of who
// may write what in its databases: the product's own script, on real servers.
package central
