package v1alpha1

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"
)

func TestBounded(t *testing.T) {
	const most = 40
	cases := map[string]struct{ reason, message, start, end string }{
		"Short":   {"What fits stays as it is.", "as it is", "as it is", "as it is"},
		"Exact":   {"So does what just fits.", strings.Repeat("x", most), "x", "x"},
		"Long":    {"The end is the reason, and stays.", "network " + strings.Repeat("x", 200) + ": not allowed", "network x", "x: not allowed"},
		"Runes":   {"No rune is cut, wherever it lies.", "network " + strings.Repeat("漢", 200) + ": not", "network 漢", "漢: not"},
		"Shifted": {"Nor one byte further.", "x" + strings.Repeat("漢", 200), "x漢", "漢"},
		"Invalid": {"Bytes that are no text are not text for three times as long.", strings.Repeat("\xff", 200), "?", "?"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := bounded(tc.message, most)
			if len(got) > most || !utf8.ValidString(got) || !strings.HasPrefix(got, tc.start) || !strings.HasSuffix(got, tc.end) {
				t.Errorf("%s Got %q of %d bytes, want at most %d from %q to %q", tc.reason, got, len(got), most, tc.start, tc.end)
			}
		})
	}
}

// Whatever users write, the API takes what is said of it.
func TestMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("漢", 1<<16) + " is why"
	refused := AttachmentRefused(ReasonInvalid, long)
	for name, got := range map[string]string{
		"Condition":    refused.Message,
		"NotReady":     AttachmentNotReady(ReasonFailed, long).Message,
		"Network":      NetworkInvalid(errors.New(long)).Message,
		"LinkFull":     LinkFull(types.NamespacedName{}, []string{long}).Message,
		"MoveRefused":  MoveRefused(refused, types.NamespacedName{Name: "lab"}).Message,
		"StaysRefused": MoveRefused(AttachmentRefused(ReasonInvalid, strings.Repeat("x", maxConditionMessage)), types.NamespacedName{Name: "lab"}).Message,
	} {
		if len(got) > maxConditionMessage || !utf8.ValidString(got) {
			t.Errorf("%s: a message of %d bytes, want at most %d of valid UTF-8", name, len(got), maxConditionMessage)
		}
	}
	for name, e := range map[string]Event{
		"Invalid": InvalidNetworksEvent(errors.New(long)),
		"Refused": RefusedEvent(types.NamespacedName{Name: "lab"}, ReasonInvalid, long),
		"Network": NetworkRefusedEvent(ReasonInvalid, long),
	} {
		if len(e.Message) > maxNote || !utf8.ValidString(e.Message) || !strings.HasSuffix(e.Message, "is why") {
			t.Errorf("%s: a note of %d bytes that ends in %q, want at most %d of valid UTF-8 with the reason", name, len(e.Message), e.Message[len(e.Message)-10:], maxNote)
		}
	}
}
