package ovn

import (
	"crypto/sha256"
	"maps"
	"strconv"
	"strings"
)

// The keys in external_ids that make a row ours. A row without networkID
// belongs to somebody else and is never touched.
const (
	networkID       = "l2sm.io/network"        // Key.String of the network the row serves
	networkUIDID    = "l2sm.io/network-uid"    // UID of its L2Network
	attachmentUIDID = "l2sm.io/attachment-uid" // ports: UID of the L2Attachment
	ownerKindID     = "l2sm.io/kind"           // kind of the object that the row is for
	portID          = "l2sm.io/port"           // ACLs: name of the port that the row is for
)

// The kinds of objects that rows are for.
const (
	kindNetwork    = "L2Network"
	kindAttachment = "L2Attachment"
)

// networkIDs returns what the external_ids of the rows that serve a network as
// a whole must hold: its switch and its DHCP_Options.
func networkIDs(n Network) map[string]string {
	return map[string]string{
		networkID:    n.String(),
		networkUIDID: n.UID,
		ownerKindID:  kindNetwork,
	}
}

// switchIDs returns what the external_ids of a network's switch must hold.
func switchIDs(n Network) map[string]string {
	ids := networkIDs(n)
	maps.Copy(ids, n.Marks)
	return ids
}

// portIDs returns what the external_ids of a network's port must hold.
func portIDs(n Network, p Port) map[string]string {
	return map[string]string{
		networkID:       n.String(),
		networkUIDID:    n.UID,
		attachmentUIDID: p.Owner,
		ownerKindID:     kindAttachment,
	}
}

// permitIDs returns what the external_ids of the ACL of a network's port must
// hold.
func permitIDs(n Network, p Port) map[string]string {
	ids := portIDs(n, p)
	ids[portID] = p.Name
	return ids
}

// isOurs says whether a row with these external_ids is ours to change.
func isOurs(ids map[string]string) bool {
	return ids[networkID] != ""
}

// carries says whether the external_ids hold all that they must. Further keys
// are other people's notes and stay.
func carries(ids, want map[string]string) bool {
	for k, v := range want {
		if got, ok := ids[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// ownerKey returns the network that a row with these external_ids and this
// name serves or, without such an owner, would serve by its name.
func ownerKey(ids map[string]string, name string) (Key, bool) {
	if id := ids[networkID]; id != "" {
		return parseKey(id)
	}
	rest, ok := strings.CutPrefix(name, namePrefix)
	if !ok {
		return Key{}, false
	}
	return parseKey(rest)
}

// identityOfPort tells the rows of one network apart that are for a port each.
func identityOfPort(port string) string { return "port " + port }

// derivedUUID returns the UUID that follows from what a row of a network is,
// version 8 of RFC 9562.
func derivedUUID(table string, key Key, what string, attempt int) string {
	text := make([]byte, 0, 256)
	for _, part := range []string{"l2sm.io", table, key.Namespace, key.Name, what} {
		text = append(append(text, part...), '/')
	}
	sum := sha256.Sum256(strconv.AppendInt(text, int64(attempt), 10))
	id := rowID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id.String()
}
