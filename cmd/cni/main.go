// Command l2sm is the CNI plugin: it forwards what the container runtime asks to
// the agent of its node, and prints the answer.
package main

import (
	"context"
	"errors"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"l2sm.io/l2sm/internal/cni"
)

const about = "CNI plugin l2sm: attaches pods to L2Networks. Multus runs it; it asks the l2sm-agent of its node on " + cni.Socket

func main() {
	skel.PluginMainFuncs(skel.CNIFuncs{
		Add:    add,
		Del:    forwards(cni.Del),
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
