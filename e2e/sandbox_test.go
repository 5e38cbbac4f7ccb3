//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// endSandbox ends a pod's sandbox on its node, behind the kubelet's back: by the end of its pause container, which dies as
// any process may. CRI-O starts none for a pod that does not share its PID namespace; there, the runtime is told to stop it.
func (s *scenario) endSandbox(n, pod string) {
	s.Helper()
	runtime := s.kubectl("get", "node", n, "-o", "jsonpath={.status.nodeInfo.containerRuntimeVersion}")
	if strings.HasPrefix(runtime, "cri-o://") {
		s.stopSandbox(n, pod, "/run/crio/crio.sock")
		return
	}
	ip := s.kubectl("get", "pod", pod, "-o", "jsonpath={.status.podIP}")
	node(s.T, n, "sh", "-c", fmt.Sprintf(`for p in $(pgrep -x pause); do nsenter -n -t $p ip -4 -o addr show dev eth0 | grep -q ' %s/' && kill -9 $p && exit 0; done; exit 1`, ip))
}

// stopSandbox is what `crictl stopp` does.
func (s *scenario) stopSandbox(n, pod, socket string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	conn, err := grpc.NewClient("unix://"+nodeRoot(s, n)+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.Fatalf("connect to the container runtime of node %s: %v", n, err)
	}
	defer conn.Close()
	runtime := runtimeapi.NewRuntimeServiceClient(conn)
	answer, err := runtime.ListPodSandbox(ctx, &runtimeapi.ListPodSandboxRequest{Filter: &runtimeapi.PodSandboxFilter{
		State:         &runtimeapi.PodSandboxStateValue{State: runtimeapi.PodSandboxState_SANDBOX_READY},
		LabelSelector: map[string]string{"io.kubernetes.pod.namespace": s.namespace, "io.kubernetes.pod.name": pod},
	}})
	if err != nil || len(answer.Items) != 1 {
		s.Fatalf("pod %s has the sandboxes %v on node %s, want one: %v", pod, answer.GetItems(), n, err)
	}
	if _, err := runtime.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: answer.Items[0].Id}); err != nil {
		s.Fatalf("stop sandbox of pod %s: %v", pod, err)
	}
}

// nodeRoot is a node's root folder as the machine sees it: that of its PID 1.
func nodeRoot(s *scenario, n string) string {
	s.Helper()
	out, err := lab("status")
	if err != nil {
		s.Fatalf("bin/lab status: %v\n%s", err, out)
	}
	m := regexp.MustCompile(`(?m)^node-` + n + ` +running, pid (\d+)$`).FindStringSubmatch(out)
	if m == nil {
		s.Fatalf("node %s does not run:\n%s", n, out)
	}
	return "/proc/" + m[1] + "/root"
}
