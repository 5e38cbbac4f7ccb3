package wake

import "testing"

func TestSignal(t *testing.T) {
	var s Signal
	s.Raise() // nobody waits
	first, again := s.Next(), s.Next()
	s.Raise()
	for _, ch := range []<-chan struct{}{first, again} {
		select {
		case <-ch:
		default:
			t.Error("Raise must wake everybody who waits")
		}
	}
	select {
	case <-s.Next():
		t.Error("a channel taken after Raise must wait for the next one")
	default:
	}
}
