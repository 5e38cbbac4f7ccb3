package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Chassis is a node's side of OVN: an Open vSwitch whose devices are made up, so that it needs neither a kernel module nor
// a network namespace, and a real ovn-controller.
type Chassis struct {
	Name string

	at                           *OVN // its folder, and the programs' root
	server, vswitchd, controller *process
}

// StartChassis starts a chassis and returns when ovn-controller has made the bridge br-int. Settings are external_ids of
// its Open_vSwitch table, beyond those that every chassis has: see ovn-controller(8). The folder is one below the
// databases'.
func (o *OVN) StartChassis(ctx context.Context, folder, name, encapIP string, settings ...string) (*Chassis, error) {
	dir := filepath.Join(o.dir, folder)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	c := &Chassis{Name: name, at: &OVN{root: o.root, dir: dir}}
	if err := c.start(ctx, o.Socket("sb"), encapIP, settings); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Chassis) start(ctx context.Context, sb, encapIP string, settings []string) error {
	var err error
	if c.server, err = c.at.StartDatabase(ctx, "conf", "openvswitch/vswitch.ovsschema"); err != nil {
		return err
	}
	args := []string{"--db=" + c.Socket(), "--no-wait", "init", "--", "set", "Open_vSwitch", "."}
	settings = append([]string{"system-id=" + c.Name, "hostname=" + c.Name, "ovn-remote=" + sb, "ovn-encap-type=geneve",
		"ovn-encap-ip=" + encapIP, "ovn-bridge-datapath-type=dummy"}, settings...)
	for _, s := range settings {
		args = append(args, "external_ids:"+s)
	}
	if _, err := c.at.Run(ctx, "ovs-vsctl", args...); err != nil {
		return err
	}
	if c.vswitchd, err = c.at.Launch("vswitchd", "ovs-vswitchd", "--enable-dummy=override", "--disable-system",
		"--unixctl="+c.at.dir+"/vswitchd.ctl", "-vconsole:warn", "-vsyslog:off", "-vfile:off", c.Socket()); err != nil {
		return err
	}
	if err := c.startController(); err != nil {
		return err
	}
	err = Until(ctx, time.Minute, 20*time.Millisecond, "ovn-controller of "+c.Name+" has made br-int", func() bool {
		_, err := os.Stat(filepath.Join(c.at.dir, "br-int.mgmt"))
		return err == nil || c.controller.ended()
	})
	if c.controller.ended() {
		return errors.Join(fmt.Errorf("ovn-controller of %s has ended: %w", c.Name, c.controller.err), err)
	}
	return err
}

func (c *Chassis) startController() error {
	var err error
	c.controller, err = c.at.Launch("ovn-controller", "ovn-controller", "-vconsole:warn", "-vsyslog:off", "-vfile:off", c.Socket())
	return err
}

// RestartController kills ovn-controller, which leaves its flows, and starts it again.
func (c *Chassis) RestartController() error {
	c.controller.kill()
	return c.startController()
}

// Flows is the number of flows of br-int.
func (c *Chassis) Flows(ctx context.Context) (int, error) {
	out, err := c.at.Run(ctx, "ovs-ofctl", "dump-aggregate", "unix:"+filepath.Join(c.at.dir, "br-int.mgmt"))
	if err != nil {
		return 0, err
	}
	_, count, _ := strings.Cut(out, "flow_count=")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if err != nil {
		return 0, fmt.Errorf("count flows of br-int in %q: %w", out, err)
	}
	return n, nil
}

// Socket is the endpoint of Open vSwitch's database.
func (c *Chassis) Socket() string { return c.at.Socket("conf") }

// CPU is what ovn-controller has used.
func (c *Chassis) CPU() time.Duration { return CPU(c.controller.pid()) }

// PID is ovn-controller's.
func (c *Chassis) PID() int { return c.controller.pid() }

// Plug adds an interface for a port of OVN, as the agent does, and does not wait for what follows. Its name is of the
// caller's choice; version is what the port has as iface-id-ver.
func (c *Chassis) Plug(ctx context.Context, device, port, version string) error {
	_, err := c.at.Run(ctx, "ovs-vsctl", "--db="+c.Socket(), "--no-wait", "add-port", "br-int", device, "--",
		"set", "Interface", device, "type=internal", "external_ids:iface-id="+port, "external_ids:iface-id-ver="+version)
	return err
}

// Memory is ovn-controller's resident set, in MiB.
func (c *Chassis) Memory() (float64, error) {
	resident, _, err := Memory(c.controller.pid())
	return resident, err
}

// Stop ends it.
func (c *Chassis) Stop() error {
	return errors.Join(c.controller.stop(), c.vswitchd.stop(), c.server.stop())
}
