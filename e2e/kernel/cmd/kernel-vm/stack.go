package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"l2sm.io/l2sm/e2e/kernel/vm"
	"l2sm.io/l2sm/e2e/lab"
	"l2sm.io/l2sm/e2e/scale/stack"
)

// outside is the control plane, which runs on this machine at its own speed, and how the guest finds it.
type outside struct {
	stack *stack.Stack
	dir   string
	env   []string
}

func startStack(ctx context.Context, controller bool, log io.Writer) (*outside, error) {
	repository, err := lab.Repository()
	if err != nil {
		return nil, err
	}
	cache, err := lab.DefaultCache()
	if err != nil {
		return nil, err
	}
	kubernetes, err := lab.Programs(ctx, lab.Options{Cache: cache, Repository: repository, Log: log})
	if err != nil {
		return nil, err
	}
	root, err := ovnRoot(ctx, cache, repository, log)
	if err != nil {
		return nil, err
	}
	s, err := stack.New(ctx, stack.Options{
		Repository: repository, Kubernetes: kubernetes, Controller: filepath.Join(repository, "bin", "l2sm-controller"), OVN: stack.OVNRoot(root),
	})
	if err != nil {
		return nil, err
	}
	o := &outside{stack: s}
	err = o.open(ctx, root)
	if err == nil && controller {
		err = errors.Join(s.Controller.Start(), s.Controller.AwaitReady(ctx, time.Minute))
	}
	if err != nil {
		o.close(&err)
		return nil, err
	}
	return o, nil
}

// open has everything listen where the guest can connect to.
func (o *outside) open(ctx context.Context, root string) error {
	var err error
	if o.dir, err = os.MkdirTemp("", "l2sm-kernel-"); err != nil {
		return err
	}
	o.env = []string{"L2SM_OVN_ROOT=" + root}
	for database, variable := range map[string]string{"nb": "L2SM_NB", "sb": "L2SM_SB"} {
		port, err := o.stack.OVN.Listen(ctx, database)
		if err != nil {
			return err
		}
		o.env = append(o.env, fmt.Sprintf("%s=tcp:%s:%d", variable, vm.HostAddress, port))
	}
	file, err := o.kubeconfig()
	o.env = append(o.env, "KUBECONFIG="+file)
	return err
}

// kubeconfig is an administrator's. The server's certificate knows nothing of the guest's view of this machine.
func (o *outside) kubeconfig() (string, error) {
	file, err := o.stack.Administrator()
	if err != nil {
		return "", err
	}
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		return "", err
	}
	for _, c := range config.Clusters {
		server, err := url.Parse(c.Server)
		if err != nil {
			return "", err
		}
		c.TLSServerName = server.Hostname()
		server.Host = net.JoinHostPort(vm.HostAddress, server.Port())
		c.Server = server.String()
	}
	to := filepath.Join(o.dir, "kubeconfig")
	return to, clientcmd.WriteToFile(*config, to)
}

func (o *outside) close(err *error) {
	*err = errors.Join(*err, o.stack.Close(), os.RemoveAll(o.dir))
}
