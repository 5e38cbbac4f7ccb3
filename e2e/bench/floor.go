package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
	"github.com/spf13/cobra"

	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/ovs"
	"l2sm.io/l2sm/internal/pki"
	"l2sm.io/l2sm/ovn/nb"
)

// floorSwitch is a logical switch of the floor's own, which no controller
// knows.
const floorSwitch = "bench-floor"

// floor is the least that an attach can be: write a logical switch port, plug
// a veth with the product's options, wait until ovn-controller has installed
// its flows. It runs on a node and reads from its input how many to do at
// once.
type floor struct {
	nb    client.Client
	ovs   *ovs.Client
	links *link.Links
	data  link.Datapath
	mtu   int
	next  int
}

// floorTimes is what the floor answers for each port: milliseconds.
type floorTimes struct {
	Committed float64 `json:"committed"` // the port is in the northbound database
	Plugged   float64 `json:"plugged"`   // ... and the veth is on br-int
	Installed float64 `json:"installed"` // ... and ovn-installed
	Error     string  `json:"error,omitempty"`
}

func floorCommand() *cobra.Command {
	var endpoint, tlsDir string
	var mtu int
	cmd := &cobra.Command{
		Use:    "floor",
		Short:  "The least that an attach can be; run on a node by bench attach",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := newFloor(cmd.Context(), endpoint, tlsDir, mtu)
			if err != nil {
				return err
			}
			defer f.end()
			return f.serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&endpoint, "nb", "", "northbound database")
	cmd.Flags().StringVar(&tlsDir, "tls-dir", "", "folder with ca.crt, tls.crt and tls.key")
	cmd.Flags().IntVar(&mtu, "mtu", 1442, "MTU of the interfaces in bytes")
	return cmd
}

func newFloor(ctx context.Context, endpoint, tlsDir string, mtu int) (*floor, error) {
	options := []client.Option{client.WithEndpoint(endpoint)}
	if strings.HasPrefix(endpoint, "ssl:") {
		tlsConfig, err := pki.Load(tlsDir)
		if err != nil {
			return nil, err
		}
		options = append(options, client.WithTLSConfig(tlsConfig))
	}
	schema, err := model.NewClientDBModel("OVN_Northbound", map[string]model.Model{
		nb.LogicalSwitchTable: &nb.LogicalSwitch{}, nb.LogicalSwitchPortTable: &nb.LogicalSwitchPort{},
	})
	if err != nil {
		return nil, err
	}
	f := &floor{links: link.New("/proc/sys"), mtu: mtu}
	f.nb, err = client.NewOVSDBClient(schema, options...)
	if err != nil {
		return nil, err
	}
	if err := f.nb.Connect(ctx); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", endpoint, err)
	}
	f.ovs, err = ovs.New("unix:/run/openvswitch/db.sock", logr.Discard(), func(ovs.Port) {})
	if err != nil {
		return nil, err
	}
	go func() { _ = f.ovs.Start(ctx) }() // ends with ctx
	for f.ovs.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.ovs.Changed():
		}
	}
	userspace, err := f.ovs.Userspace(ctx)
	if err != nil {
		return nil, err
	}
	if userspace {
		f.data = link.Userspace
	}
	return f, f.transact(ctx, ovsdb.Operation{Op: ovsdb.OperationInsert, Table: nb.LogicalSwitchTable,
		Row: ovsdb.Row{"name": floorSwitch}})
}

func (f *floor) transact(ctx context.Context, ops ...ovsdb.Operation) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	results, err := f.nb.Transact(ctx, ops...)
	if err != nil {
		return err
	}
	_, err = ovsdb.CheckOperationResults(results, ops)
	return err
}

// end removes the floor's logical switch, and with it whatever port is left.
func (f *floor) end() {
	byName := []ovsdb.Condition{ovsdb.NewCondition("name", ovsdb.ConditionEqual, floorSwitch)}
	err := f.transact(context.Background(), ovsdb.Operation{Op: ovsdb.OperationDelete, Table: nb.LogicalSwitchTable, Where: byName})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench floor: remove logical switch:", err)
	}
}

// serve does as many at once as each line of its input says, and answers with
// one line of JSON, until the input ends.
func (f *floor) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		n, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			return err
		}
		answers := make([]floorTimes, n)
		var group sync.WaitGroup
		for i := range n {
			f.next++
			number := f.next
			group.Go(func() {
				var err error
				if answers[i], err = f.once(ctx, number); err != nil {
					answers[i].Error = err.Error()
				}
			})
		}
		group.Wait()
		if err := json.NewEncoder(out).Encode(answers); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (f *floor) once(ctx context.Context, number int) (floorTimes, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	name := fmt.Sprintf("bench-floor-%d", number)
	host := link.HostEnd{Name: link.HostName(name, "net1"), Owner: link.Owner{Container: name, IfName: "net1", Config: "bench"}}
	mac := net.HardwareAddr{2, 0xbe, 0, 0, byte(number >> 8), byte(number)}
	address := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(number >> 8), byte(number)}), 16)
	if out, err := exec.CommandContext(ctx, "ip", "netns", "add", name).CombinedOutput(); err != nil {
		return floorTimes{}, fmt.Errorf("make namespace: %w: %s", err, out)
	}
	defer func() { _ = exec.Command("ip", "netns", "del", name).Run() }() // what is left is seen by the next run

	var t floorTimes
	start := time.Now()
	if err := f.writePort(ctx, name, fmt.Sprintf("%s %s", mac, address.Addr())); err != nil {
		return t, fmt.Errorf("write port: %w", err)
	}
	t.Committed = ms(time.Since(start))
	defer f.dropPort(name)
	want := link.Interface{Name: "net1", MAC: mac, MTU: f.mtu, Addresses: []netip.Prefix{address}}
	if err := f.links.Create(host, "/run/netns/"+name, want, f.data); err != nil {
		return t, err
	}
	defer func() { _ = f.links.Delete(host.Name) }() // goes with the namespace too
	port := ovs.Port{Name: host.Name, LogicalPort: name, MAC: mac.String(), Interface: "net1", Attachment: name,
		Sandbox: ovs.Sandbox{Container: name, IfName: "net1", Config: "bench", Netns: "/run/netns/" + name, PodName: name, PodUID: name}}
	if err := f.ovs.Change(ctx, []ovs.Port{port}, nil); err != nil {
		return t, err
	}
	defer func() { _ = f.ovs.Change(context.WithoutCancel(ctx), nil, []string{host.Name}) }() // seen by the next run
	t.Plugged = ms(time.Since(start))
	if err := f.ovs.WaitInstalled(ctx, host.Name); err != nil {
		return t, err
	}
	t.Installed = ms(time.Since(start))
	return t, nil
}

func (f *floor) writePort(ctx context.Context, name, addresses string) error {
	return f.transact(ctx,
		ovsdb.Operation{Op: ovsdb.OperationInsert, Table: nb.LogicalSwitchPortTable, UUIDName: "lsp",
			Row: ovsdb.Row{"name": name, "addresses": addresses, "port_security": addresses}},
		ovsdb.Operation{Op: ovsdb.OperationMutate, Table: nb.LogicalSwitchTable,
			Where:     []ovsdb.Condition{ovsdb.NewCondition("name", ovsdb.ConditionEqual, floorSwitch)},
			Mutations: []ovsdb.Mutation{*ovsdb.NewMutation("ports", ovsdb.MutateOperationInsert, ovsdb.OvsSet{GoSet: []any{ovsdb.UUID{GoUUID: "lsp"}}})}})
}

// dropPort takes a port off its switch's list; the database removes what is on
// no list.
func (f *floor) dropPort(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	results, err := f.nb.Transact(ctx, ovsdb.Operation{Op: ovsdb.OperationSelect, Table: nb.LogicalSwitchPortTable,
		Where: []ovsdb.Condition{ovsdb.NewCondition("name", ovsdb.ConditionEqual, name)}, Columns: []string{"_uuid"}})
	if err != nil || len(results) == 0 || len(results[0].Rows) == 0 {
		return
	}
	uuid, ok := results[0].Rows[0]["_uuid"].(ovsdb.UUID)
	if !ok {
		return
	}
	err = f.transact(ctx, ovsdb.Operation{Op: ovsdb.OperationMutate, Table: nb.LogicalSwitchTable,
		Where:     []ovsdb.Condition{ovsdb.NewCondition("name", ovsdb.ConditionEqual, floorSwitch)},
		Mutations: []ovsdb.Mutation{*ovsdb.NewMutation("ports", ovsdb.MutateOperationDelete, ovsdb.OvsSet{GoSet: []any{uuid}})}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench floor: remove port:", err)
	}
}
