package attach

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// maxName is the length of an object's name (RFC 1123 subdomain).
	maxName = 253
	// uidDigits of the pod's UID end a name, so that a pod re-created under
	// its name never meets its predecessor's port.
	uidDigits = 8
)

var notInNames = regexp.MustCompile(`[^a-z0-9-]+`)

// Name is the name of the L2Attachment that a pod's annotation asks for:
// ping-net1-4f2a9c1e.
func Name(podName string, podUID types.UID, iface string) string {
	uid := string(podUID[:min(uidDigits, len(podUID))])
	middle := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(iface), "-"), "-")
	if middle != iface {
		middle = strings.TrimPrefix(middle+"-"+digest(iface), "-")
	}
	tail := "-" + middle + "-" + uid
	if len(podName)+len(tail) <= maxName {
		return podName + tail
	}
	tail = "-" + digest(podName) + tail
	return strings.TrimRight(podName[:maxName-len(tail)], "-.") + tail
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}
