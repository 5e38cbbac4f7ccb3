package main

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"time"
)

// The log lines of controller and agent that tell when a stage was reached.
const (
	writtenMessage   = "Attachment written"
	committedMessage = "Northbound committed"
	addedMessage     = "Interfaces added"
)

// logLine has what the three kinds of lines carry.
type logLine struct {
	Time        time.Time `json:"ts"`
	Message     string    `json:"msg"`
	Attachment  string    `json:"attachment"` // namespace/name
	Pod         podName   `json:"Pod"`
	Added       []string  `json:"added"` // ports
	Entered     time.Time `json:"entered"`
	Attachments time.Time `json:"attachments"`
	Plugged     time.Time `json:"plugged"`
	Installed   time.Time `json:"installed"`
	Returned    time.Time `json:"returned"`
}

// podName is a pod's name, out of either form in which it is logged: an
// object, as controller-runtime does, or namespace/name.
type podName string

// UnmarshalJSON reads both forms.
func (p *podName) UnmarshalJSON(text []byte) error {
	var object struct{ Name string }
	if json.Unmarshal(text, &object) == nil {
		*p = podName(object.Name)
		return nil
	}
	var s string
	err := json.Unmarshal(text, &s)
	*p = podName(base(s))
	return err
}

// timeline is when one pod's attach reached each stage.
type timeline struct {
	pod string

	created, scheduled, written, committed time.Time
	entered, plugged, installed, returned  time.Time
	deleted, gone                          time.Time
	ready                                  time.Time
}

// add takes from a program's log what it tells of the pods, by their names. Where each
// node has a northbound database, all with a member write a port: what counts is when
// the pod's own had it, whose agent tells of the interface as well.
func add(timelines map[string]*timeline, log io.Reader) error {
	committed, own := map[*timeline]time.Time{}, map[*timeline]bool{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l logLine
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue // a line of a library that writes no JSON
		}
		switch l.Message {
		case writtenMessage:
			if t := timelines[podOf(base(l.Attachment))]; t != nil {
				t.written = l.Time
			}
		case committedMessage:
			for _, port := range l.Added {
				if t := timelines[podOf(base(port))]; t != nil {
					committed[t] = l.Time
				}
			}
		case addedMessage:
			if t := timelines[string(l.Pod)]; t != nil {
				t.entered, t.plugged, t.installed, t.returned = l.Entered, l.Plugged, l.Installed, l.Returned
				own[t] = true
			}
		}
	}
	for t, at := range committed {
		if own[t] || t.committed.IsZero() {
			t.committed = at
		}
	}
	return lines.Err()
}

// base is what stands behind the last slash.
func base(name string) string { return name[strings.LastIndex(name, "/")+1:] }

// podOf is the pod's name in an attachment's: what stands before the
// interface and the UID's digits.
func podOf(attachment string) string {
	parts := strings.Split(attachment, "-")
	return strings.Join(parts[:max(0, len(parts)-2)], "-")
}

// complete says whether every stage is known.
func (t *timeline) complete() bool {
	for _, at := range []time.Time{t.created, t.scheduled, t.written, t.committed, t.entered, t.plugged, t.installed, t.returned, t.ready} {
		if at.IsZero() {
			return false
		}
	}
	return true
}

// stages are the rows of the table: what passed between two moments.
var stages = []struct {
	name string
	took func(*timeline) time.Duration
}{
	{"pod scheduled -> attachment written", func(t *timeline) time.Duration { return t.written.Sub(t.scheduled) }},
	{"attachment written -> NB committed", func(t *timeline) time.Duration { return t.committed.Sub(t.written) }},
	{"NB committed -> ADD entered (kubelet makes the sandbox)", func(t *timeline) time.Duration { return t.entered.Sub(t.committed) }},
	{"ADD entered -> interface plugged", func(t *timeline) time.Duration { return t.plugged.Sub(t.entered) }},
	{"interface plugged -> ovn-installed", func(t *timeline) time.Duration { return t.installed.Sub(t.plugged) }},
	{"ovn-installed -> ADD returned", func(t *timeline) time.Duration { return t.returned.Sub(t.installed) }},
	{addStage, func(t *timeline) time.Duration { return t.returned.Sub(t.entered) }},
	{"pod created -> pod ready", func(t *timeline) time.Duration { return t.ready.Sub(t.created) }},
}

const addStage = "ADD entered -> ADD returned"
