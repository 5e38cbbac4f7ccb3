package controllers

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func emit(recorder events.EventRecorder, about runtime.Object, e v1alpha1.Event) {
	recorder.Eventf(about, nil, e.Type, e.Reason, e.Action, "%s", e.Message)
}
