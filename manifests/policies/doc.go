// Package policies holds the admission policies; only its tests are Go.
package policies
