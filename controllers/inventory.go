package controllers

import (
	"context"
	"net/http"

	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/inventory"
)

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// serveInventory says what this replica has given out. It is closed when this
// replica is elected.
func serveInventory(ledger *admission.Ledger, elected <-chan struct{}) http.Handler {
	return inventory.Handler(func(context.Context) (inventory.Controller, error) {
		select {
		case <-elected:
			return inventory.Controller{Leads: true, Leases: leases(ledger.Snapshot())}, nil
		default:
			return inventory.Controller{}, nil
		}
	})
}

func leases(all []admission.Held) []inventory.Lease {
	var leases []inventory.Lease
	for _, held := range all {
		l := inventory.Lease{Network: held.Network.String(), Owner: held.Owner.String(), MAC: held.MAC.String(), Pending: held.Pending}
		for _, address := range held.Addresses {
			l.Addresses = append(l.Addresses, address.String())
		}
		leases = append(leases, l)
	}
	return leases
}
