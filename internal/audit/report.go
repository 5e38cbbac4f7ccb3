package audit

import (
	"encoding/json"
	"fmt"
	"io"
)

// Summary is the report in a line.
func (r Report) Summary() string {
	text := fmt.Sprintf("audited %s, %s, %s: %s", count(r.Networks, "network"), count(r.Attachments, "attachment"),
		count(r.Nodes, "node"), found(len(r.Discrepancies)))
	if len(r.Unseen) > 0 {
		text += fmt.Sprintf("; could not look at %s", count(len(r.Unseen), "place"))
	}
	return text
}

// Text writes the report for people: a line for each discrepancy, and the
// summary.
func (r Report) Text(w io.Writer) error {
	for _, d := range r.Discrepancies {
		if _, err := fmt.Fprintf(w, "%s: %s\n", d.Where, d.What); err != nil {
			return err
		}
	}
	for _, u := range r.Unseen {
		if _, err := fmt.Fprintf(w, "%s: not looked at: %s\n", u.Where, u.What); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, r.Summary())
	return err
}

// JSON writes the report for programs.
func (r Report) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

func found(n int) string {
	switch n {
	case 0:
		return "no discrepancies"
	case 1:
		return "1 discrepancy"
	default:
		return fmt.Sprintf("%d discrepancies", n)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
