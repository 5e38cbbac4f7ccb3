package sb

import _ "embed" // for SchemaJSON

// SchemaJSON is the schema the models were generated from, for servers that
// are to speak exactly it.
//
//go:embed ovn-sb.ovsschema
var SchemaJSON string
