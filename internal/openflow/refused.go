package openflow

import (
	"fmt"
)

// RefusedError says that the switch refused a change.
type RefusedError struct {
	// What was refused, such as "flow table=0,priority=100,in_port=1".
	What string
	// Type and Code are the switch's (OpenFlow 1.5.1 section 7.5.4).
	Type, Code uint16
	// More is how many changes of the same call it refused besides.
	More int
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("the switch refuses %s: %s, code %d (OpenFlow 1.5.1 section 7.5.4)", e.What, e.kind(), e.Code)
	if e.More > 0 {
		s += fmt.Sprintf(", and %d more", e.More)
	}
	return s
}

// kind is the error type in words.
func (e *RefusedError) kind() string {
	switch e.Type {
	case 0:
		return "failed hello"
	case 1:
		return "bad request"
	case 2:
		return "bad action"
	case 3:
		return "bad instruction"
	case 4:
		return "bad match"
	case 5:
		return "failed flow change"
	case typeMeterFailed:
		return "failed meter change"
	case 17:
		return "failed bundle"
	}
	return fmt.Sprintf("error type %d", e.Type)
}

// Errors that a meter's change is followed up by (enum ofp_meter_mod_failed_code).
const (
	typeMeterFailed  = 12
	codeMeterExists  = 1
	codeUnknownMeter = 3
)
