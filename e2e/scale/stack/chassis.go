package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Chassis is a node's side of OVN: an Open vSwitch whose devices are made up, so that it needs neither a kernel module nor
// a network namespace, and a real ovn-controller.
type Chassis struct {
	Name string

	at                           *OVN // its folder, and the programs' root
	server, vswitchd, controller *process
}

// StartChassis starts a chassis and returns when ovn-controller has made the bridge br-int.
func (o *OVN) StartChassis(ctx context.Context, name, encapIP string, monitorAll bool) (*Chassis, error) {
	dir := filepath.Join(o.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	c := &Chassis{Name: name, at: &OVN{root: o.root, dir: dir}}
	if err := c.start(ctx, o.Socket("sb"), encapIP, monitorAll); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Chassis) start(ctx context.Context, sb, encapIP string, monitorAll bool) error {
	var err error
	if c.server, err = c.at.StartDatabase(ctx, "conf", "openvswitch/vswitch.ovsschema"); err != nil {
		return err
	}
	_, err = c.at.Run(ctx, "ovs-vsctl", "--db="+c.Socket(), "--no-wait", "init", "--", "set", "Open_vSwitch", ".",
		"external_ids:system-id="+c.Name, "external_ids:hostname="+c.Name, "external_ids:ovn-remote="+sb,
		"external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip="+encapIP,
		"external_ids:ovn-bridge-datapath-type=dummy", fmt.Sprintf("external_ids:ovn-monitor-all=%t", monitorAll))
	if err != nil {
		return err
	}
	if c.vswitchd, err = c.at.Launch("vswitchd", "ovs-vswitchd", "--enable-dummy=override", "--disable-system",
		"--unixctl="+c.at.dir+"/vswitchd.ctl", "-vconsole:warn", "-vsyslog:off", "-vfile:off", c.Socket()); err != nil {
		return err
	}
	if c.controller, err = c.at.Launch("ovn-controller", "ovn-controller",
		"-vconsole:warn", "-vsyslog:off", "-vfile:off", c.Socket()); err != nil {
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

// Socket is the endpoint of Open vSwitch's database.
func (c *Chassis) Socket() string { return c.at.Socket("conf") }

// CPU is what ovn-controller has used.
func (c *Chassis) CPU() time.Duration { return cpu(c.controller.pid()) }

// Memory is ovn-controller's resident set, in MiB.
func (c *Chassis) Memory() (float64, error) {
	resident, _, err := Memory(c.controller.pid())
	return resident, err
}

// Stop ends it.
func (c *Chassis) Stop() error {
	return errors.Join(c.controller.stop(), c.vswitchd.stop(), c.server.stop())
}
