// Package edge holds the manifests of edges; only its tests are Go.
package edge
