package excerpt

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		most   int
		want   string
	}{
		"Short":      {"What fits stays.", "ping", 4, "ping"},
		"Long":       {"The end is cut, and says so.", "ping-network", 8, "ping-..."},
		"InARune":    {"A cut never leaves half a character.", "aaaa\u00e9\u00e9\u00e9\u00e9", 8, "aaaa..."},
		"WideRune":   {"A character of four bytes goes as a whole.", "a\U0001f600\U0001f600", 7, "a..."},
		"NoText":     {"Bytes that are no text are cut too.", strings.Repeat("\x80", 9), 8, "\x80\x80..."},
		"NoRoom":     {"An ellipsis that does not fit is cut itself.", "ping-network", 2, ".."},
		"OnlyDots":   {"Nothing but the ellipsis fits.", "ping-network", 3, "..."},
		"NoneAtAll":  {"Nothing fits.", "ping", 0, ""},
		"Unbounded":  {"Less than nothing is nothing.", "ping", -1, ""},
		"EmptyStays": {"No text has no ellipsis.", "", 0, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Of(tc.text, tc.most); got != tc.want {
				t.Errorf("%s\nOf(%q, %d) = %q, want %q", tc.reason, tc.text, tc.most, got, tc.want)
			}
		})
	}
}

func TestQuoteIsBounded(t *testing.T) {
	for _, text := range []string{"", "a", strings.Repeat("a", 1<<18), strings.Repeat("\xff", 1<<10), strings.Repeat("\u0085", 1<<10), strings.Repeat("\U0010ffff", 1<<10)} {
		got := Quote(text)
		if len(got) > 258 || !utf8.ValidString(got) {
			t.Errorf("%d bytes quoted are %d bytes: %s", len(text), len(got), got)
		}
	}
}
