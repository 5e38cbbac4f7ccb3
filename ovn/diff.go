package ovn

import (
	"fmt"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// ForeignError says that a row has a name of ours but not our external_ids:
// somebody else created it. It is left alone, and nothing of the network is
// written until it is gone.
type ForeignError struct {
	// Kind is "logical switch" or "logical switch port".
	Kind string

	// Name is the row's name.
	Name string
}

// Error names the row and says what to do about it.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s %q was not made by l2sm: remove or rename it", e.Kind, e.Name)
}

// State is what a northbound database holds of one network: the input of
// [Diff]. A [Client] makes it from its replica.
type State struct {
	rows []rows // by kind, in the order of kinds

	// What the kinds tell each other.
	here *members // the ports on the network's switch, nil without one
}

// Plan is what must be done to a database to make it hold a network. It is
// made by [Diff]; its zero value does nothing.
type Plan struct {
	network Network
	steps   []steps // by kind, in the order of kinds

	// What the kinds tell each other.
	sw     switchRow // the network's switch
	create bool      // its row does not exist yet: it comes with the ports
	refs   refs      // what ports refer to
	wide   bool      // what every port carries has changed
}

// Diff finds what must be done so that a database that holds actual holds
// desired. It is pure. A [ForeignError] says that another's row is in the way.
func Diff(desired Network, actual State) (Plan, error) {
	p := Plan{network: desired}
	for _, r := range actual.rows {
		s, err := r.diff(desired, &p)
		if err != nil {
			return Plan{}, err
		}
		p.steps = append(p.steps, s)
	}
	return p, nil
}

// Empty says that nothing differs.
func (p Plan) Empty() bool {
	return !slices.ContainsFunc(p.steps, func(s steps) bool { return !s.empty() })
}

// operations returns the plan as one transaction. It opens with guards, so
// that it commits only while the database still is what the plan was made
// from: without them an operation on a row that has gone does nothing and
// reports nothing.
//
// The operations are written out, not built by libovsdb's conditional API:
// that one swaps every condition for a plain _uuid where its cache has a
// match, and so takes the teeth out of the guards.
//
// Every condition names a row by its _uuid. ovsdb-server has no other index
// here: to look for a name it would read the whole table.
//
// An empty plan needs none.
func (p Plan) operations() []ovsdb.Operation {
	if p.Empty() {
		return nil
	}
	var guards, ops []ovsdb.Operation
	for _, s := range p.steps {
		guards = append(guards, s.guards(p)...)
		ops = append(ops, s.operations(p)...)
	}
	return append(guards, ops...)
}

// joining are the ports that the switch gets.
func (p Plan) joining() []string {
	for _, s := range p.steps {
		if s, is := s.(portSteps); is {
			return s.joining()
		}
	}
	return nil
}

// limit cuts the plan down to about so many ports, and says whether some are
// left for another transaction. What all of them need stays in this one.
func (p Plan) limit(ports int) (Plan, bool) {
	more := false
	p.steps = slices.Clone(p.steps)
	for i, s := range p.steps {
		left := false
		switch s := s.(type) {
		case portSteps:
			p.steps[i], left = s.limit(ports)
		case aclSteps:
			p.steps[i], left = s.limit(ports)
		}
		more = more || left
	}
	return p, more
}

// Result says what an Apply did, with the ports' names in order.
type Result struct {
	// Committed says that a transaction was needed.
	Committed bool

	Added   []string // ports created
	Moved   []string // ports taken over from another switch, their rows kept
	Changed []string // ports rewritten in place
	Removed []string // ports deleted
}

// addTo adds to the result what the plan did.
func (p Plan) addTo(r *Result) {
	r.Committed = r.Committed || !p.Empty()
	for _, s := range p.steps {
		if s, is := s.(portSteps); is {
			s.addTo(r)
		}
	}
}

func (p Plan) result() Result {
	var r Result
	p.addTo(&r)
	return r
}
