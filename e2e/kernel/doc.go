// Package kernel tests l2sm's nodes on the kernel's datapath: two nodes, which are namespaces, run the product's own pods
// as the manifests describe them. It runs in a virtual machine: see test.sh and vm. The container runtime is a fake that
// lists the sandboxes that tests make, the kubelet is package node; kube-apiserver, OVN's databases, ovn-northd and
// l2sm-controller are real, and run outside.
package kernel
