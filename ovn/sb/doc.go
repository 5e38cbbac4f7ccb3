// Package sb holds the models of the OVN southbound database, ovn-sb(5), one
// struct a table, generated from the schema of OVN 23.03, the oldest version
// supported. Newer versions only add columns and tables, so these models fit
// every newer server.
package sb

//go:generate go tool -modfile=../../go.tools.mod modelgen -extended -p sb -o . ovn-sb.ovsschema
