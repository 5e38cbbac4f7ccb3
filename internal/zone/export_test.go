package zone

import "time"

// PauseLearning has OVN not learn for so long of a port that floods it. It is called
// before Run.
func (w *Writer) PauseLearning(pause time.Duration) { w.floods.pause = pause }
