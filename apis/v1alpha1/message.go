package v1alpha1

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxConditionMessage is what the API takes as a condition's message, in
	// characters (metav1.Condition). Bytes are never fewer.
	maxConditionMessage = 32768
	// maxNote is what the API takes as an event's note, in bytes
	// (events.k8s.io/v1, Event.note).
	maxNote = 1024
)

// bounded is a message of at most so many bytes. What is too long loses its
// middle: the start says what it is about, and the end is the reason. It is cut
// between runes.
func bounded(message string, most int) string {
	const gap = " ... "
	message = strings.ToValidUTF8(message, "?")
	if len(message) <= most {
		return message
	}
	start, end := (most-len(gap))/2, len(message)-(most-len(gap)-(most-len(gap))/2)
	for !utf8.RuneStart(message[start]) {
		start--
	}
	for end < len(message) && !utf8.RuneStart(message[end]) {
		end++
	}
	return message[:start] + gap + message[end:]
}
