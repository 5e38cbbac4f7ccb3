//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// wiring is what the pair hangs on, in all databases: northbound port, port
// binding, Open vSwitch interface. What was removed and re-created is another.
func (s *scenario) wiring() string {
	s.Helper()
	var all []string
	for _, p := range []string{"ping", "pong"} {
		of := func(column string) string {
			return s.kubectl("get", "l2att", "-o", fmt.Sprintf(`jsonpath={.items[?(@.spec.podName==%q)].%s}`, p, column))
		}
		port, where := quoted([]string{of("status.portName")}), of("spec.nodeName")
		binding, err := asked(where, "sb", "ovn-sbctl", "--timeout=5", "--bare", "--columns=_uuid,chassis,tunnel_key", "find", "Port_Binding", "logical_port="+port)
		if err != nil {
			s.Fatalf("port binding of %s: %v: %s", p, err, binding)
		}
		found := map[string]string{
			"northbound port": nbctl(s.T, where, "--bare", "--columns=_uuid", "find", "Logical_Switch_Port", "name="+port),
			"port binding":    binding,
			"interface":       node(s.T, where, "ovs-vsctl", "--bare", "--columns=_uuid,name,ofport", "find", "Interface", "external_ids:iface-id="+port),
		}
		for what, row := range found {
			if strings.TrimSpace(row) == "" {
				s.Fatalf("%s has no %s", p, what)
			}
			all = append(all, fmt.Sprintf("%s of %s: %s\n", what, p, strings.Join(strings.Fields(row), " ")))
		}
	}
	return strings.Join(sorted(all), "")
}
