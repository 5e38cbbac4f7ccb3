package controllers

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// 1 ms to 16 s: an attach is tens of milliseconds, a wait for a network any
// time.
var stageBuckets = prometheus.ExponentialBuckets(0.001, 2, 15)

var (
	scheduledToWritten = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "l2sm_scheduled_to_attachment_seconds",
		Help:    "Time from seeing a pod on its node to its complete L2Attachment in the API.",
		Buckets: stageBuckets,
	})
	writtenToCommitted = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "l2sm_attachment_to_northbound_seconds",
		Help:    "Time from an L2Attachment's write to the commit of its port in the northbound database.",
		Buckets: stageBuckets,
	})
	transactions = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "l2sm_northbound_transactions_total",
		Help: "Transactions committed to the northbound database.",
	})
	refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "l2sm_attachments_refused_total",
		Help: "Times an L2Attachment was told no, or to wait, by reason of its condition Accepted.",
	}, []string{"reason"})
)

func init() {
	metrics.Registry.MustRegister(scheduledToWritten, writtenToCommitted, transactions, refusals)
}

// stages notes when a stage began, for those that this process saw begin.
type stages struct {
	mu        sync.Mutex
	scheduled map[types.UID]time.Time            // by pod
	written   map[types.NamespacedName]time.Time // by attachment
}

func newStages() *stages {
	return &stages{scheduled: map[types.UID]time.Time{}, written: map[types.NamespacedName]time.Time{}}
}

func (s *stages) podScheduled(pod *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scheduled[pod.UID] = time.Now()
}

// podServed ends the pod's stage: what is written for it later was waited for.
func (s *stages) podServed(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.scheduled, uid)
}

func (s *stages) attachmentWritten(a *v1alpha1.L2Attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if began, ok := s.scheduled[a.Spec.PodUID]; ok {
		scheduledToWritten.Observe(now.Sub(began).Seconds())
	}
	s.written[client.ObjectKeyFromObject(a)] = now
}

// portsCommitted ends the stage of attachments that a commit concerned.
func (s *stages) portsCommitted(attachments []types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range attachments {
		if began, ok := s.written[key]; ok {
			writtenToCommitted.Observe(time.Since(began).Seconds())
			delete(s.written, key)
		}
	}
}

func (s *stages) attachmentGone(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.written, key)
}
