package multus

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// MainNetworkAnnotation is the pod annotation that names the definition of the
// pod's main network, in place of the cluster's (Multus, docs/configuration.md).
const MainNetworkAnnotation = "v1.multus-cni.io/default-network"

// NotMain is why a definition of ours can't be a pod's main network.
const NotMain = "an L2Network cannot be a pod's main network: its interfaces come beside eth0; " +
	"remove the annotation and name the network in annotation l2sm.io/networks"

// MainNetwork is the definition that a value of MainNetworkAnnotation names, if
// it names one: Multus takes "namespace/name" and a JSON list of one element.
// Without a namespace it is in Multus' own, where none of ours is.
func MainNetwork(value string) (types.NamespacedName, bool) {
	var key types.NamespacedName
	if strings.HasPrefix(strings.TrimSpace(value), "[") {
		var list []struct{ Namespace, Name string }
		if err := json.Unmarshal([]byte(value), &list); err != nil || len(list) == 0 {
			return key, false
		}
		key.Namespace, key.Name = list[0].Namespace, list[0].Name
		return key, key.Namespace != "" && key.Name != ""
	}
	first, _, _ := strings.Cut(value, ",")
	first, _, _ = strings.Cut(first, "@")
	namespace, name, ok := strings.Cut(strings.TrimSpace(first), "/")
	key.Namespace, key.Name = namespace, name
	return key, ok && namespace != "" && name != ""
}
