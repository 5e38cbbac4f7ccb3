package agent

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/go-logr/logr"

	"l2sm.io/l2sm/internal/cni"
	"l2sm.io/l2sm/internal/ovs"
)

// call serves one call of the CNI plugin.
func (a *Agent) call(ctx context.Context, call *cni.Call) (*types100.Result, error) {
	ctx = logr.NewContext(ctx, a.log.WithName("cni").WithValues("command", call.Command,
		"Pod", call.Pod.Namespace+"/"+call.Pod.Name, "container", call.Container))
	a.underWay.add(call.Container)
	defer a.underWay.remove(call.Container)
	result, err := a.dispatch(ctx, call)
	code := uint(0)
	if err != nil {
		e := coded(err)
		code, err = e.Code, e
		logr.FromContextOrDiscard(ctx).Info("CNI call failed", "code", e.Code, "error", e.Msg)
	}
	calls.WithLabelValues(string(call.Command), strconv.FormatUint(uint64(code), 10)).Inc()
	return result, err
}

func (a *Agent) dispatch(ctx context.Context, call *cni.Call) (*types100.Result, error) {
	switch call.Command {
	case cni.Add:
		return a.add(ctx, call)
	case cni.Del:
		return nil, a.del(ctx, call)
	case cni.Check:
		return nil, a.check(ctx, call)
	case cni.GC:
		return nil, a.gc(ctx, call)
	case cni.Status:
		return nil, a.status(ctx)
	default:
		return nil, fmt.Errorf("serve command %q: unknown", call.Command)
	}
}

// status says whether an ADD could be served. That the caches are filled is
// certain: the server starts after them.
func (a *Agent) status(ctx context.Context) error {
	if err := a.ovs.Ready(ctx); err != nil {
		return cni.Unavailable(err)
	}
	return nil
}

// coded is err with the code of the CNI specification that fits: what passes
// by itself has to be tried again.
func coded(err error) *types.Error {
	var e *types.Error
	if errors.As(err, &e) {
		return e
	}
	for _, passing := range []error{ovs.ErrNotConnected, ovs.ErrNoBridge, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, passing) {
			return cni.TryAgain(err)
		}
	}
	return types.NewError(types.ErrInternal, err.Error(), "")
}
