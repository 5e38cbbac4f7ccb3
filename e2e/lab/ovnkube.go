package lab

import (
	"context"
	"path/filepath"

	"l2sm.io/l2sm/e2e/lab/image"
)

// ovnkubeSuite is the Debian release whose OVN runs beside ovnkube: its models have columns that 12's OVN lacks.
const ovnkubeSuite = "trixie"

// ovnkubePackages are what ovnkube calls, beside all that is in l2sm's image of OVN.
var ovnkubePackages = []string{"iptables"}

// ovnkube is the image of OVN-Kubernetes' daemons and of the Open vSwitch below them.
func (i Images) ovnkube() (recipe, error) {
	b, err := ovnKubernetesModule.locate(i.Cache, i.Repository)
	if err != nil {
		return recipe{}, err
	}
	packages, without, err := i.packages("ovn")
	if err != nil {
		return recipe{}, err
	}
	d := image.Debian{Suite: ovnkubeSuite, Arch: i.arch(), Packages: append(packages, ovnkubePackages...), Without: without}
	d.Programs = map[string]string{"/usr/bin/ovnkube": filepath.Join(b.dir, "ovnkube")}
	return recipe{
		repository: "l2sm-ovnkube", key: debianKey(d) + "-" + filepath.Base(b.dir),
		layer: func(ctx context.Context, out string) error {
			if err := b.ensure(ctx, i.progress()); err != nil {
				return err
			}
			return d.Write(ctx, out)
		},
	}, nil
}
