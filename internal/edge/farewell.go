package edge

import "time"

// A pod that ends may end since its node is an edge no more: the kubelet is quicker than the
// L2Edge's status. So a program that is to end waits for as long as that may take, and one
// that is told so until another edge has its networks, within the pod's grace.
const (
	toldWithin  = 2 * time.Second
	leaveWithin = 8 * time.Second
)

// farewell returns when this program may end: it has left nothing on the node, or what is there
// is for the next one.
func (e *Edge) farewell() {
	told, late := time.After(toldWithin), time.After(leaveWithin)
	for {
		changed := e.leftChanged.Next()
		if e.hasLeft() {
			return
		}
		select {
		case <-changed:
		case <-told:
			if !e.leaves() {
				return
			}
		case <-late:
			e.log.Info("No other edge has taken the networks; what is on this node stays", "node", e.config.Node)
			return
		}
	}
}

func (e *Edge) hasLeft() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.left
}

// leaves says whether this node is known to be an edge no more.
func (e *Edge) leaves() bool {
	e.mu.Lock()
	filled := e.filled
	e.mu.Unlock()
	return filled && !e.settingsOf().edge
}

// mayLeave says whether nothing of this node is needed: frames of networks that are bound
// here go on until another edge has them, if there is one.
func (e *Edge) mayLeave(s settings) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(s.others) == 0 || len(e.bridgeIs.patches) == 0
}
