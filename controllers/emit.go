package controllers

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// maxNote is what the API takes as an event's note, in bytes (events.k8s.io/v1,
// Event.note).
const maxNote = 1024

func emit(recorder events.EventRecorder, about runtime.Object, e v1alpha1.Event) {
	note := e.Message[:min(maxNote, len(e.Message))]
	recorder.Eventf(about, nil, e.Type, e.Reason, e.Action, "%s", note)
}
