// Package manage lets the managers of l2sm's programs start while the API server
// is away: they wait for it. The kubelet starts a program that ends instead later
// each time, after five minutes at last.
package manage

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Run runs the manager until ctx ends. A manager that is told to end before its
// caches are filled would go on (controller-runtime 0.24, runnableGroup.Start);
// it has started nothing yet, and is left behind.
func Run(ctx context.Context, mgr ctrl.Manager) error {
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	filled := make(chan bool, 1)
	go func() { filled <- mgr.GetCache().WaitForCacheSync(ctx) }()
	select {
	case err := <-ended:
		return err
	case started := <-filled:
		if !started {
			return nil
		}
		return <-ended
	}
}
