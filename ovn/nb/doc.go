// Package nb holds the models of the OVN northbound database, ovn-nb(5), one
// struct a table, generated from the schema of OVN 23.03, the oldest version
// supported. Newer versions only add columns and tables, so these models fit
// every newer server.
package nb

//go:generate go tool -modfile=../../go.tools.mod modelgen -extended -p nb -o . ovn-nb.ovsschema
