// Package excerpt cuts text that users wrote to a bounded length before it is
// quoted in a message. Conditions and events have limits of their own (32,768
// and 1,024 bytes), and a message that is too long is lost or loses its end,
// which is the reason.
package excerpt

import (
	"strconv"
	"unicode/utf8"
)

// quoted is how many bytes of a user's text Quote shows.
const quoted = 64

// ellipsis stands for what is cut.
const ellipsis = "..."

// Of is text itself, or, where it has more than most bytes, its start and an
// ellipsis, which together have at most that many. It is cut between runes.
func Of(text string, most int) string {
	if len(text) <= most {
		return text
	}
	if most <= len(ellipsis) {
		return ellipsis[:max(most, 0)]
	}
	end := most - len(ellipsis)
	for back := 0; back < utf8.UTFMax-1 && end > 0 && !utf8.RuneStart(text[end]); back++ {
		end--
	}
	return text[:end] + ellipsis
}

// Quote is the start of text in quotes, as %q prints it. What is no printable
// character is escaped, so the result has at most 258 bytes.
func Quote(text string) string { return strconv.Quote(Of(text, quoted)) }
