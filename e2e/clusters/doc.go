// Package clusters holds the scenarios of one network in two clusters. They are built
// with the tag e2e, and `make test-clusters` brings up both.
package clusters
