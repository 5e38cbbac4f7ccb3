package attach

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"l2sm.io/l2sm/internal/excerpt"
)

// forms are those that work, for who wrote another.
const forms = `want names separated by commas, such as lab, other-ns/lab@net1, or a JSON list, such as [{"name": "lab", "namespace": "other-ns"}]`

// maxReason is how many bytes of a decoder's message are shown: it repeats the
// text.
const maxReason = 192

var errTooMany = fmt.Errorf("more than %d entries, which is the most that a pod may have", MaxEntries)

// items are the trimmed items of a list with commas. There are at most so many.
func items(text string, most int) ([]string, error) {
	if strings.Count(text, ",") >= most {
		return nil, errTooMany
	}
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
		if list[i] == "" {
			return nil, fmt.Errorf("entry %d is empty: %s", i+1, forms)
		}
	}
	return list, nil
}

// elements are the objects of a JSON list. There are at most so many: what
// follows is not even read.
func elements(text string, most int) ([]json.RawMessage, error) {
	if strings.HasPrefix(text, "{") {
		return nil, errors.New(`want a JSON list; put the object into brackets: [{"name": ...}]`)
	}
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.New("not a JSON list: " + forms)
	}
	var list []json.RawMessage
	for d.More() {
		if len(list) == most {
			return nil, errTooMany
		}
		var element json.RawMessage
		if err := d.Decode(&element); err != nil {
			return nil, fmt.Errorf("not a JSON list: entry %d: %s", len(list)+1, excerpt.Of(err.Error(), maxReason))
		}
		if is := kind(element); is != "" {
			return nil, fmt.Errorf(`entry %d is %s: want an object, such as {"name": "lab"}`, len(list)+1, is)
		}
		list = append(list, element)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not a JSON list: it has no end: %s", excerpt.Of(err.Error(), maxReason))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the JSON list")
	}
	return list, nil
}

// kind is what a JSON value is that is no object; empty for an object.
func kind(value json.RawMessage) string {
	switch value[0] {
	case '{':
		return ""
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	default:
		return "a number"
	}
}
