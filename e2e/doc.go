// Package e2e holds the scenarios: what users of l2sm do and what they must
// see, run on the local cluster (package lab) with everything installed from
// manifests/. They are built with the tag e2e, and `make test-e2e` brings up
// the cluster that they need.
package e2e
