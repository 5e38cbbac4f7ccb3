// Command checksums is a CNI plugin behind a pod's main network: it has the pod's kernel finish the checksums of what it
// sends. Otherwise veth leaves them to the one who sends a frame out of the machine, and Open vSwitch's datapath in user
// space passes frames on as they are: its connection tracking and the receiver throw them away.
package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/safchain/ethtool"
)

func add(args *skel.CmdArgs) error {
	var c types.NetConf
	if err := json.Unmarshal(args.StdinData, &c); err != nil {
		return fmt.Errorf("decode configuration: %w", err)
	}
	if err := version.ParsePrevResult(&c); err != nil {
		return fmt.Errorf("decode result of the plugin before: %w", err)
	}
	if c.PrevResult == nil {
		return errors.New("no result of a plugin before: this one stands behind another")
	}
	err := ns.WithNetNSPath(args.Netns, func(ns.NetNS) error { return finish(args.IfName) })
	if err != nil {
		return fmt.Errorf("set features of %q: %w", args.IfName, err)
	}
	return types.PrintResult(c.PrevResult, c.CNIVersion)
}

func finish(link string) error {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return err
	}
	defer e.Close()
	return e.Change(link, map[string]bool{"tx-checksum-ip-generic": false})
}

func nothing(*skel.CmdArgs) error { return nil }

func main() {
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Check: nothing, Del: nothing}, version.All, "checksums of the lab")
}
