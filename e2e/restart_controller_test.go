//go:build e2e

package e2e

// Lab only: it kills controllers.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// Both controllers killed, several times, while pods come and go.
func TestControllersKilledAtAnyMoment(t *testing.T) {
	s := newLoneScenario(t)
	s.pair(nodes(t)[0], nodes(t)[1])
	const kills = 4
	calm := s.during(s.stillServes, func() { s.beside(func() { time.Sleep(20 * time.Second) }) }) // about as long as the kills take
	f := s.losesNoMore(calm.pings, func() {
		s.beside(func() {
			for range kills {
				pause := rand.N(2 * time.Second)
				time.Sleep(pause)
				s.Logf("%s later, both controllers are killed", pause)
				s.eventually("there is a controller to kill", func() error { return s.killControllers() })
			}
		})
		s.stillServes()
	})
	s.report(fmt.Sprintf("both l2sm-controllers killed (-9) %d times while pods came and went", kills), "pods' traffic", f)
	s.consistent()
}

// beside does something while pods come and go.
func (s *scenario) beside(action func()) {
	stop := make(chan struct{})
	var churning sync.WaitGroup
	churning.Go(func() { s.churn(stop) })
	action()
	close(stop)
	churning.Wait()
}

// killControllers kills whichever run; a killed one may not have started again.
func (s *scenario) killControllers() error {
	killed := 0
	for _, n := range nodes(s.T) {
		if len(processes(n, controllerProgram)) > 0 {
			killed += len(send(s.T, "KILL", n, controllerProgram))
		}
	}
	if killed == 0 {
		return errors.New("none runs")
	}
	return nil
}

// churn creates and deletes pods of the same names until it is told to stop.
func (s *scenario) churn(stop <-chan struct{}) {
	var pods, names []string
	for i := range 3 {
		names = append(names, fmt.Sprintf("churn-%d", i))
		pods = append(pods, pod{name: names[i], node: nodes(s.T)[i%2], networks: "net,net"}.String())
	}
	for {
		if out, err := s.tryApply(pods...); err != nil {
			s.Errorf("apply: %v: %s", err, out)
		}
		time.Sleep(rand.N(time.Second))
		if out, err := s.try(append([]string{"delete", "--timeout=60s", "pod"}, names...)...); err != nil {
			s.Errorf("delete: %v: %s", err, out)
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// consistent asserts that the network's switch has a port for each of its
// attachments, and no other.
func (s *scenario) consistent() {
	s.Helper()
	s.eventually("ports are attachments", func() error {
		return differs(s.kubectl("get", "l2att", "--sort-by=.metadata.name", "-o", "jsonpath={.items[*].status.portName}"), strings.Join(s.ports(), " "))
	})
}

// ports are the names of the scenario's logical switch ports, in their order.
func (s *scenario) ports() []string {
	s.Helper()
	var ports []string
	for _, p := range sorted(strings.Fields(nbctl(s.T, nodes(s.T)[0], "--bare", "--columns=name", "list", "Logical_Switch_Port"))) {
		if strings.HasPrefix(p, "l2sm/"+s.namespace+"/") {
			ports = append(ports, p)
		}
	}
	return ports
}

// The elected one of two controllers is killed: the other, or its own
// successor, takes over when the lease has run out.
func TestLeaderKilled(t *testing.T) {
	s := newLoneScenario(t)
	s.pair(nodes(t)[0], nodes(t)[1])
	var takeover time.Duration
	f := s.losesNothing(func() {
		former := leader(t)
		name, _, _ := strings.Cut(former, "_") // a UUID follows
		where := system(t, "get", "pod", name, "-o", "jsonpath={.spec.nodeName}")
		send(t, "KILL", where, controllerProgram)
		killed := time.Now()
		s.eventually("another controller leads", func() error {
			if now := leader(t); now == former {
				return fmt.Errorf("it is still %s", now)
			}
			return nil
		})
		takeover = time.Since(killed)
		s.stillServes()
	})
	s.report("the leading of two l2sm-controllers killed (-9)", fmt.Sprintf("pods' traffic; the next led after %.1f s", takeover.Seconds()), f)
	s.consistent()
}
