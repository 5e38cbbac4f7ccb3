package cri

import (
	"strings"
	"testing"
)

// What the runtimes answer, cut down to what surrounds the path. containerd
// 1.6.20's is from a node of the lab; CRI-O's has the shape that crictl
// inspectp of CRI-O 1.2x prints.
const (
	ofContainerd = `{"pid":361,"processStatus":"running","netNamespaceClosed":false,"image":"localhost/l2sm-pause:dev",
		"snapshotter":"overlayfs","runtimeHandler":"","runtimeType":"io.containerd.runc.v2","runtimeOptions":{},
		"config":{"metadata":{"name":"ping","uid":"63bdb5a6-ef6f-4910-a0cd-5026a8960681","namespace":"default"},
			"linux":{"security_context":{"namespace_options":{"pid":1}}}},
		"runtimeSpec":{"ociVersion":"1.0.2-dev","process":{"user":{"uid":65532},"args":["/pause"],"cwd":"/"},
			"linux":{"resources":{"cpu":{"shares":20,"period":100000}},"cgroupsPath":"/l2sm-n1/kubepods/ping",
				"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},
					{"type":"network","path":"/var/run/netns/cni-b6d4446a-0461-9757-eec0-f3b8c4c793cf"}],
				"seccomp":{"defaultAction":"SCMP_ACT_ERRNO"}}},
		"cniResult":{"Interfaces":{"eth0":{"IPConfigs":[{"IP":"10.244.0.7","Gateway":"10.244.0.1"}]}}}}`
	ofCRIO = `{"image":"registry.k8s.io/pause:3.9","pid":4711,
		"runtimeSpec":{"ociVersion":"1.0.2-dev","process":{"user":{"uid":0,"gid":0},"args":["/pause"],"cwd":"/"},
			"hostname":"ping","annotations":{"io.kubernetes.cri-o.HostNetwork":"false","io.kubernetes.cri-o.ContainerType":"sandbox"},
			"linux":{"resources":{"devices":[{"allow":false,"access":"rwm"}],"cpu":{"shares":2}},
				"cgroupsPath":"kubepods-besteffort.slice:crio:ping",
				"namespaces":[{"type":"pid"},{"type":"network","path":"/var/run/netns/2f0c8e1a-7d2c-4a53-9a53-6d1f5f6f0a11"},
					{"type":"ipc","path":"/var/run/ipcns/2f0c8e1a-7d2c-4a53-9a53-6d1f5f6f0a11"},
					{"type":"uts","path":"/var/run/utsns/2f0c8e1a-7d2c-4a53-9a53-6d1f5f6f0a11"},{"type":"mount"}]}}}`
	onTheNode = `{"pid":362,"runtimeSpec":{"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"mount"}]}}}`
)

func TestNetnsOf(t *testing.T) {
	cases := map[string]struct {
		reason, info, want, says string
	}{
		"containerd":  {"1.6 and later", ofContainerd, "/var/run/netns/cni-b6d4446a-0461-9757-eec0-f3b8c4c793cf", ""},
		"CRIO":        {"the order is another", ofCRIO, "/var/run/netns/2f0c8e1a-7d2c-4a53-9a53-6d1f5f6f0a11", ""},
		"HostNetwork": {"such a pod has none of its own", onTheNode, "", ""},
		"Nothing":     {"a runtime may leave info out", "", "", "says nothing"},
		"NotJSON":     {"nothing is guessed", "info", "", "decode"},
		"NoSpec":      {"nor here", `{"pid": 1}`, "", "runtimeSpec.linux"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := netnsOf(tc.info)
			if got != tc.want || (err != nil) != (tc.says != "") {
				t.Errorf("%s: netnsOf = %q, %v, want %q", tc.reason, got, err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: netnsOf = %v, want it to say %q", tc.reason, err, tc.says)
			}
		})
	}
}
