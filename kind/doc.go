// Package kind holds the tests of the scripts and the configuration beside it,
// with what is here where there is no container engine: kind's own code reads the
// configuration, the nodes' script runs in network namespaces, and stand-ins
// for the programs that up.sh calls record how.
package kind
