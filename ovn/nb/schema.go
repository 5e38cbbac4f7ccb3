package nb

import _ "embed" // for SchemaJSON

// SchemaJSON is the schema the models were generated from, for servers that
// are to speak exactly it.
//
//go:embed ovn-nb.ovsschema
var SchemaJSON string
