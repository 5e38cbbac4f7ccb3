package controllers

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/admission"
	"l2sm.io/l2sm/internal/ipam"
)

var remotesIgnored = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "l2sm_remote_addresses_ignored_total",
	Help: "MAC and IP addresses of L2Remotes that are not held, each time that one was written: texts that can't be read, and more than a network may hold.",
}, []string{"peer", "reason"})

func init() { metrics.Registry.MustRegister(remotesIgnored) }

// Why an address of an L2Remote is not held.
const (
	ignoredUnreadable = "Unreadable"
	ignoredTooMany    = "TooMany"
)

// L2RemoteReconciler has what peers announce be no attachment's here meanwhile, for as
// long as their networks are to go on behind them.
type L2RemoteReconciler struct {
	client.Client
	placement *placement
}

// +kubebuilder:rbac:groups=l2sm.io,resources=l2remotes,verbs=get;list;watch;delete

// Reconcile takes over what one L2Remote says.
func (r *L2RemoteReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.placement.loaded.wait(ctx, r.placement); err != nil {
		return ctrl.Result{}, err
	}
	remote := &v1alpha1.L2Remote{}
	err := r.Get(ctx, req.NamespacedName, remote, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		r.placement.ledger.Announce(req.NamespacedName, "", ipam.Announced{})
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("get L2Remote %q: %w", req.NamespacedName, err)
	}
	if unreadable, tooMany := announce(r.placement.ledger, remote); unreadable+tooMany > 0 {
		log.FromContext(ctx).Info("Not all of an L2Remote is held", "peer", remote.Peer, "unreadable", unreadable, "tooMany", tooMany)
	}
	return ctrl.Result{}, r.end(ctx, remote)
}

// announce puts what the L2Remote says into the ledger, and counts what is left out.
func announce(ledger *admission.Ledger, remote *v1alpha1.L2Remote) (unreadable, tooMany int) {
	says, unreadable := announcedBy(remote)
	tooMany = ledger.Announce(types.NamespacedName{Namespace: remote.Namespace, Name: remote.Name}, remote.Network, says)
	for reason, count := range map[string]int{ignoredUnreadable: unreadable, ignoredTooMany: tooMany} {
		if count > 0 {
			remotesIgnored.WithLabelValues(remote.Peer, reason).Add(float64(count))
		}
	}
	return unreadable, tooMany
}

// announcedBy is what an L2Remote says, and how many of its texts can't be read. A host
// whose MAC address can't be read is left out as a whole.
func announcedBy(remote *v1alpha1.L2Remote) (says ipam.Announced, unreadable int) {
	macs := make([]ipam.MAC, 0, len(remote.Hosts))
	addresses := make([]netip.Addr, 0, len(remote.Hosts))
	for _, host := range remote.Hosts {
		mac, err := ipam.ParseMAC(host.MACAddress)
		if err != nil {
			unreadable++
			continue
		}
		macs = append(macs, mac)
		for _, text := range host.Addresses {
			addr, err := netip.ParseAddr(text)
			if err != nil || addr.Zone() != "" || ipam.CheckHost(netip.PrefixFrom(addr, -1)) != nil {
				unreadable++
				continue
			}
			addresses = append(addresses, addr)
		}
	}
	return ipam.NewAnnounced(remote.Peer, macs, addresses), unreadable
}

// remotes has what peers announce be followed.
func (s *setup) remotes() error {
	r := &L2RemoteReconciler{Client: s.mgr.GetClient(), placement: s.placement}
	err := ctrl.NewControllerManagedBy(s.mgr).Named("l2remote").
		For(&v1alpha1.L2Remote{}, builder.WithPredicates(predicate.Funcs{UpdateFunc: rewrites})).
		Watches(&v1alpha1.L2Network{}, handler.EnqueueRequestsFromMapFunc(r.ofNetwork), builder.WithPredicates(goesOnElsewhere)).
		WithOptions(s.options("l2remote", 4)).
		Complete(s.memory.watch(r))
	if err != nil {
		return fmt.Errorf("set up the controller of L2Remotes: %w", err)
	}
	return nil
}

// rewrites are updates that are more than a resync.
func rewrites(e event.UpdateEvent) bool {
	return e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion()
}
