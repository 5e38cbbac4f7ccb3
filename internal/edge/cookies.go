package edge

import (
	"time"
)

// A cookie of a flow says in its upper half which connection wrote it, in its lower half what
// its frames are counted for: a network's own, or a peer's, in or out.
const generationMask = 0xffffffff << 32

// cookies are those of the connection's flows.
type cookies struct {
	generation uint64
	peers      map[string]uint64
}

func newCookies() cookies {
	c := cookies{peers: map[string]uint64{}}
	c.renew()
	return c
}

// renew has what is written from now on be told from all that was written before.
func (c *cookies) renew() { c.generation = uint64(time.Now().UnixMicro()) << 32 }

// own is that of flows that belong to no peer.
func (c *cookies) own() uint64 { return c.generation }

// refused is that of the flow that drops what has no other.
func (c *cookies) refused() uint64 { return c.generation | 1 }

// direction is what frames are counted for.
type direction struct {
	peer, name string
	refused    bool
}

// cookieNames are what the cookies of this program's flows count. The caller holds mu.
func (e *Edge) cookieNames() map[uint64]direction {
	names := map[uint64]direction{e.cookies.refused(): {refused: true}}
	for peer := range e.cookies.peers {
		names[e.cookies.peer(peer, false)] = direction{peer: peer, name: "in"}
		names[e.cookies.peer(peer, true)] = direction{peer: peer, name: "out"}
	}
	return names
}

// policed are the meters' peers and directions. The caller holds mu.
func (e *Edge) policed() map[uint32]direction {
	of := map[uint32]direction{}
	for _, meters := range e.meters.of {
		for key, m := range meters {
			of[m.ID] = direction{peer: key.peer, name: map[bool]string{false: "in", true: "out"}[key.vtep.IsValid()]}
		}
	}
	return of
}

// peer is that of flows of a peer's frames.
func (c *cookies) peer(name string, out bool) uint64 {
	n, has := c.peers[name]
	if !has {
		n = uint64(len(c.peers)) + 1
		c.peers[name] = n
	}
	cookie := c.generation | n<<1
	if out {
		cookie |= 1
	}
	return cookie
}
