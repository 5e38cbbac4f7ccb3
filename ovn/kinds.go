package ovn

import (
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// kinds are what a network consists of. A kind may use what those before it
// have left in the [Plan]. A new kind is one file and one element here.
var kinds = []kind{switchKind{}, dhcpKind{}, portKind{}, aclKind{}}

// kind is one kind of rows that a network consists of: one table of the
// northbound database.
type kind interface {
	// replicated says what the client keeps a copy of.
	replicated() replicated

	// labels returns what tells whose a row of the table is.
	labels(row model.Model) labels

	// read gathers what the replica has of it for the target. It may use what
	// the kinds before it have left in the state.
	read(r replica, t target, s *State) (rows, error)

	// deletion returns the operations that remove what the replica has of it for
	// a network, nil when that is nothing or goes with another kind's rows.
	deletion(r replica, key Key) ([]ovsdb.Operation, error)

	// list adds to the contents what the replica has of it that is ours, or
	// looks so.
	list(r replica, c *Contents)

	// listed adds what list must find for the network.
	listed(n Network, c *Contents)
}

// replicated is the part of a table that is replicated: the columns that this
// package reads or writes. Columns that others keep changing, such as up, cost
// a wake-up per change; columns that the model lacks, because the server is
// newer, break libovsdb's replica.
type replicated struct {
	table   string
	model   model.Model
	columns []any // pointers to the model's fields

	// identities tell the rows apart that a network has of it, see
	// [replica.identity]. There are none where rows are not found by network.
	identities []string
}

// labels tell whose a row is.
type labels struct {
	uuid string
	name string // empty where rows of the kind have none
	ids  map[string]string
	port string // the port of the network that the row is for, empty for all
}

// owner returns the network that the row serves or, without such an owner, would
// serve by its name.
func (l labels) owner() (Key, bool) {
	return ownerKey(l.ids, l.name)
}

// rows are the rows of one kind that concern a target.
type rows interface {
	// diff finds the steps that make the database hold the network. It is pure.
	diff(n Network, p *Plan) (steps, error)

	// tell completes the network by what the rows say: they may make it up, if
	// diff finds no step. Of its ports it has the names.
	tell(n *Network)
}

// steps are what must be done to the rows of one kind.
type steps interface {
	empty() bool

	// guards are operations that fail the transaction unless the database still
	// is what the steps were made from.
	guards(p Plan) []ovsdb.Operation

	// operations are the steps themselves.
	operations(p Plan) []ovsdb.Operation
}

// target is what is to be compared with the database: a whole network, or some
// of its ports.
type target struct {
	Network

	// partial says that the network may have further ports, which are neither
	// read nor compared.
	partial bool

	// surplus says that further switches of the network are compared, though
	// partial.
	surplus bool

	// gone are names of ports that must not be on the switch, when partial.
	gone []string
}

// identitiesOf finds what tells the rows of one network apart in a table.
var identitiesOf = func() map[string][]string {
	all := map[string][]string{}
	for _, k := range kinds {
		r := k.replicated()
		all[r.table] = r.identities
	}
	return all
}()

// kindOf finds the kind whose rows a table has.
var kindOf = func() map[string]kind {
	all := map[string]kind{}
	for _, k := range kinds {
		all[k.replicated().table] = k
	}
	return all
}()
