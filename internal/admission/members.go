package admission

import "k8s.io/apimachinery/pkg/types"

// members is a network as the decision about one owner sees it.
type members struct {
	*network
}

func (m members) Has(a types.NamespacedName) bool { return m.pool.Has(a.String()) }

func (m members) Len() int                    { return m.pool.Len() }
func (m members) Guests(namespace string) int { return m.guests[namespace] }

// Names are asked for where a vlink is full: there are two.
func (m members) Names() []string { return m.pool.Owners() }

var _ Members = members{}
