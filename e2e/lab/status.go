package lab

// Part is a process that a cluster consists of.
type Part struct {
	Name    string
	Running bool
	PID     int
}

// Status tells of each process that the cluster consists of whether it lives. Each node is one: its PID 1.
func (l *Lab) Status() []Part {
	var parts []Part
	for _, name := range controlPlaneProcesses {
		parts = append(parts, l.part(l.plan.namespace(controlPlane), name))
	}
	for _, n := range l.plan.Nodes {
		parts = append(parts, l.part(n.Namespace, nodeProcess(n)))
	}
	return parts
}

func (l *Lab) part(namespace, name string) Part {
	pid, alive := l.running(namespace, name)
	return Part{Name: name, Running: alive, PID: pid}
}
