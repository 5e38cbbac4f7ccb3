package openflow

import (
	"encoding/binary"
	"net/netip"
)

var be = binary.BigEndian

// A field of a match or of an action is four bytes and its value: class, number, mask bit,
// length (OXM, OpenFlow 1.5.1 section 7.2.3.2).
const (
	classBasic  = 0x8000 // OpenFlow's own fields
	classNicira = 0x0001 // those of Open vSwitch: ovs-fields(7)

	fieldInPort      = 0   // basic
	fieldDestination = 3   // basic
	fieldTunnelID    = 38  // basic
	fieldTunSource4  = 31  // of Nicira, and all that follow
	fieldTunDest4    = 32  //
	fieldTunSource6  = 109 //
	fieldTunDest6    = 110 //
)

func field(class uint16, number uint8, value []byte) []byte {
	b := be.AppendUint16(nil, class)
	return append(append(b, number<<1, byte(len(value))), value...)
}

// masked is a field of which only the bits of the mask count.
func masked(class uint16, number uint8, value, mask []byte) []byte {
	b := be.AppendUint16(nil, class)
	b = append(b, number<<1|1, byte(len(value)+len(mask)))
	return append(append(b, value...), mask...)
}

func u32(v uint32) []byte { return be.AppendUint32(nil, v) }
func u64(v uint64) []byte { return be.AppendUint64(nil, v) }

// pad fills up with zeros to a multiple of eight bytes.
func pad(b []byte) []byte {
	return append(b, make([]byte, (8-len(b)%8)%8)...)
}

// address is the field of an address, by its family.
func address(a netip.Addr, four, six uint8) []byte {
	if a.Is4() {
		return field(classNicira, four, a.AsSlice())
	}
	return field(classNicira, six, a.AsSlice())
}

// groupBit tells frames to many from frames to one (IEEE 802-2014, 8.2).
var groupBit = []byte{1, 0, 0, 0, 0, 0}

// encode is struct ofp_match: its length leaves out the padding.
func (m Match) encode() []byte {
	b := []byte{0, 1, 0, 0} // OFPMT_OXM
	if m.InPort != 0 {
		b = append(b, field(classBasic, fieldInPort, u32(m.InPort))...)
	}
	switch {
	case m.Flooded:
		b = append(b, masked(classBasic, fieldDestination, groupBit, groupBit)...)
	case m.Destination != MAC{}:
		b = append(b, field(classBasic, fieldDestination, m.Destination[:])...)
	}
	if m.TunnelID != 0 {
		b = append(b, field(classBasic, fieldTunnelID, u64(uint64(m.TunnelID)))...)
	}
	if m.TunnelSource.IsValid() {
		b = append(b, address(m.TunnelSource, fieldTunSource4, fieldTunSource6)...)
	}
	be.PutUint16(b[2:], uint16(len(b)))
	return pad(b)
}

// setField is struct ofp_action_set_field: its length includes the padding.
func setField(f []byte) []byte {
	b := pad(append([]byte{0, 25, 0, 0}, f...))
	be.PutUint16(b[2:], uint16(len(b)))
	return b
}

func (s SetTunnelID) encode() []byte {
	return setField(field(classBasic, fieldTunnelID, u64(uint64(s))))
}

func (s SetTunnelDestination) encode() []byte {
	return setField(address(netip.Addr(s), fieldTunDest4, fieldTunDest6))
}

// encode is struct ofp_action_output, with max_len OFPCML_NO_BUFFER, which only frames to
// controllers ask for.
func (o Output) encode() []byte {
	b := append([]byte{0, 0, 0, 16}, u32(uint32(o))...)
	return append(b, 0xff, 0xff, 0, 0, 0, 0, 0, 0)
}

// encode is struct ofp_action_meter: OpenFlow 1.5 made an action of the instruction.
func (p Police) encode() []byte {
	return append([]byte{0, 29, 0, 8}, u32(uint32(p))...)
}

// encode is the action output(port=LOCAL,max_len=14) of Open vSwitch (NXAST_OUTPUT_TRUNC,
// ovs-actions(7)): whoever sets the bridge's own device up reads no more than addresses.
func (Settle) encode() []byte {
	return []byte{0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 39, 0xff, 0xfe, 0, 0, 0, 14}
}

// encode is the action clone of Open vSwitch (NXAST_CLONE, ovs-actions(7)).
func (a Apart) encode() []byte {
	b := []byte{0xff, 0xff, 0, 0, 0, 0, 0x23, 0x20, 0, 42, 0, 0, 0, 0, 0, 0}
	for _, action := range a {
		b = append(b, action.encode()...)
	}
	be.PutUint16(b[2:], uint16(len(b)))
	return b
}

// instructions are apply-actions and goto-table.
func (f Flow) instructions() []byte {
	var b []byte
	if len(f.Actions) > 0 {
		b = []byte{0, 4, 0, 0, 0, 0, 0, 0}
		for _, action := range f.Actions {
			b = append(b, action.encode()...)
		}
		be.PutUint16(b[2:], uint16(len(b)))
	}
	if f.Next != 0 {
		b = append(b, 0, 1, 0, 8, f.Next, 0, 0, 0)
	}
	return b
}
