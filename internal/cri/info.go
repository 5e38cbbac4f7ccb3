package cri

import (
	"encoding/json"
	"errors"
	"fmt"
)

// info is what we read of the verbose status: containerd's SandboxInfo
// (pkg/cri/server/sandbox_status.go) and CRI-O's sandboxInfo
// (server/sandbox_status.go) both hold the OCI runtime's configuration, in
// which a namespace of type network has a path (OCI runtime specification,
// "Linux Container Configuration", Namespaces).
type info struct {
	RuntimeSpec *struct {
		Linux *struct {
			Namespaces []struct {
				Type string `json:"type"`
				Path string `json:"path"`
			} `json:"namespaces"`
		} `json:"linux"`
	} `json:"runtimeSpec"`
}

// netnsOf reads the path of the network namespace. A sandbox on the node's own
// network has none.
func netnsOf(text string) (string, error) {
	if text == "" {
		return "", errors.New("the runtime says nothing of it")
	}
	var i info
	if err := json.Unmarshal([]byte(text), &i); err != nil {
		return "", fmt.Errorf("decode info: %w", err)
	}
	if i.RuntimeSpec == nil || i.RuntimeSpec.Linux == nil {
		return "", errors.New("info holds no runtimeSpec.linux")
	}
	for _, ns := range i.RuntimeSpec.Linux.Namespaces {
		if ns.Type == "network" {
			return ns.Path, nil
		}
	}
	return "", nil
}
