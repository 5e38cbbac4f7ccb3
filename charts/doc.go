// Package charts holds the Helm chart, which is made of manifests/, and its tests.
package charts

//go:generate go tool -modfile=../go.tools.mod kustomize build ../manifests/default --output l2sm/files/default.yaml
//go:generate go tool -modfile=../go.tools.mod kustomize build parts/netdev --output l2sm/files/netdev.yaml
//go:generate go tool -modfile=../go.tools.mod kustomize build parts/edge --output l2sm/files/edge.yaml
//go:generate go tool -modfile=../go.tools.mod kustomize build parts/edge-wireguard --output l2sm/files/edge-wireguard.yaml
//go:generate go tool -modfile=../go.tools.mod kustomize build parts/openshift --output l2sm/files/openshift.yaml
//go:generate go tool -modfile=../go.tools.mod kustomize build parts/zones --output l2sm/files/zones.yaml
//go:generate go tool -modfile=../go.tools.mod kustomize build parts/zones-netdev --output l2sm/files/zones-netdev.yaml
//go:generate go tool -modfile=../go.tools.mod kustomize build parts/ovn-kubernetes --output l2sm/files/ovn-kubernetes.yaml
