// Command l2sm is the CNI plugin: it forwards what the container runtime asks to
// the agent of its node, and prints the answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/link"
)

const about = "CNI plugin l2sm: attaches pods to L2Networks. Multus runs it; it asks the l2sm-agent of its node on " + cni.Socket

func main() {
	skel.PluginMainFuncs(skel.CNIFuncs{
		Add:    add,
		Del:    del,
		Check:  forwards(cni.Check),
		GC:     forwards(cni.GC),
		Status: status,
	}, version.PluginSupports("0.4.0", "1.0.0", "1.1.0"), about)
}

func add(args *skel.CmdArgs) error {
	// skel has checked the version.
	wanted, err := (&version.ConfigDecoder{}).Decode(args.StdinData)
	if err != nil {
		return err
	}
	result, err := cni.Do(context.Background(), cni.Socket, request(cni.Add, args))
	if err != nil {
		return orTryAgain(err)
	}
	return types.PrintResult(result, wanted)
}

// delTimeout is how long a DEL waits for the agent: an ADD of the pod that is under
// way has up to 40 s.
const delTimeout = time.Minute

// del must not keep a pod from ending, neither where the agent is away nor where
// l2sm was uninstalled and left its configuration: then it removes the container's
// interfaces itself. The ports in Open vSwitch are left to the agent's sweep.
func del(args *skel.CmdArgs) error {
	ctx, cancel := context.WithTimeout(context.Background(), delTimeout)
	defer cancel()
	_, err := cni.Do(ctx, cni.Socket, request(cni.Del, args))
	if !errors.Is(err, cni.ErrUnreachable) {
		return err
	}
	if err := link.New("/proc/sys").Release(args.ContainerID, args.IfName); err != nil {
		// The network namespace's end takes them along.
		fmt.Fprintln(os.Stderr, "l2sm: remove interfaces without an agent:", err)
	}
	return nil
}

func forwards(command cni.Command) func(*skel.CmdArgs) error {
	return func(args *skel.CmdArgs) error {
		_, err := cni.Do(context.Background(), cni.Socket, request(command, args))
		return orTryAgain(err)
	}
}

func status(args *skel.CmdArgs) error {
	_, err := cni.Do(context.Background(), cni.Socket, request(cni.Status, args))
	if errors.Is(err, cni.ErrUnreachable) {
		return cni.Unavailable(err)
	}
	return err
}

func orTryAgain(err error) error {
	if errors.Is(err, cni.ErrUnreachable) {
		return cni.TryAgain(err)
	}
	return err
}

func request(command cni.Command, args *skel.CmdArgs) cni.Request {
	return cni.Request{
		Command:   command,
		Container: args.ContainerID,
		Netns:     args.Netns,
		IfName:    args.IfName,
		Args:      args.Args,
		Config:    args.StdinData,
	}
}
