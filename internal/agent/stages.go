package agent

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The stages of an ADD, in their order, and those of the watch's work.
const (
	stageEntered     = "entered"
	stageAttachments = "attachments"
	stagePlugged     = "plugged"
	stageInstalled   = "installed"
	stageReturned    = "returned"

	stageSandbox   = "sandbox"
	stageReady     = "ready"
	stageUnplugged = "unplugged"
	stageRenewed   = "renewed"
	stageNoted     = "noted"
)

// 1 ms to 33 s: an ADD takes tens of milliseconds, and 40 s at most.
var stageBuckets = prometheus.ExponentialBuckets(0.001, 2, 16)

var (
	stageSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "l2sm_add_stage_seconds",
		Help:    "Time that an ADD took from its previous stage to this one: attachments known, interfaces plugged, flows installed, returned.",
		Buckets: stageBuckets,
	}, []string{"stage"})
	watchStageSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "l2sm_watch_stage_seconds",
		Help:    "Time that a hot attachment, detachment or move took from its previous stage to this one: sandbox found, interface plugged, Ready written; unplugged; neighbours forgotten and addresses announced (renewed), noted.",
		Buckets: stageBuckets,
	}, []string{"stage"})
	addSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "l2sm_add_seconds",
		Help:    "Time from the entry of an ADD to its success.",
		Buckets: stageBuckets,
	})
	calls = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "l2sm_cni_calls_total",
		Help: "Calls of the CNI plugin by command, and by the CNI error code of the answer, 0 for success.",
	}, []string{"command", "code"})
	earlyCalls = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "l2sm_nri_admissions_total",
		Help: "Times that a pod of which the container runtime told by NRI was attached before its containers, or its containers have to wait.",
	}, []string{"outcome"})
	swept = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "l2sm_swept_total",
		Help: "What sandboxes that are gone had left, and was removed: ports (with their links), and links alone.",
	}, []string{"what"})
)

func init() {
	prometheus.MustRegister(stageSeconds, watchStageSeconds, addSeconds, calls, earlyCalls, swept)
}

// stages are the times at which an ADD, or the watch's work on an attachment,
// reached its stages.
type stages struct {
	seconds *prometheus.HistogramVec
	names   []string
	times   []time.Time
}

func enter() *stages { return enterFor(stageSeconds) }

func enterWatch() *stages { return enterFor(watchStageSeconds) }

func enterFor(seconds *prometheus.HistogramVec) *stages {
	return &stages{seconds: seconds, names: []string{stageEntered}, times: []time.Time{time.Now()}}
}

func (s *stages) reach(stage string) {
	now := time.Now()
	s.seconds.WithLabelValues(stage).Observe(now.Sub(s.times[len(s.times)-1]).Seconds())
	if stage == stageReturned {
		addSeconds.Observe(now.Sub(s.times[0]).Seconds())
	}
	s.names, s.times = append(s.names, stage), append(s.times, now)
}

// values are the stages for a log line, in UTC.
func (s *stages) values() []any {
	var values []any
	for i, name := range s.names {
		values = append(values, name, s.times[i].UTC().Format(time.RFC3339Nano))
	}
	return values
}
