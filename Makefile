# l2sm: `make help` lists what there is to do.

NAME      ?= l2sm
TEST_NAME ?= l2sm-test
EAST      ?= east
WEST      ?= west
NODES     ?= 3
KERNEL_NODES ?= 2
OVN_SUITE ?= trixie
SCALE_SIZES ?= 100,1000,10000
PROGRAMS  ?= bin
REGISTRY  ?=
ARCHITECTURES ?= amd64 arm64
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

export CGO_ENABLED := 0
export GOFLAGS     := -trimpath -buildvcs=false
export OVN_SUITE
# What is built says when the commit was made, and not when it was built.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

SHELL      := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
LAB         = bin/lab --name $(NAME)
TEST_LAB    = bin/lab --name $(TEST_NAME)
TOOL        = go tool -modfile=go.tools.mod
IMAGES      = $${L2SM_IMAGES:-bin/images}

.DEFAULT_GOAL := help

##@ For users

.PHONY: help
help: ## List every target.
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: deps build ## Bring up a three-node cluster on this machine and ping across it.
	@e2e/steps.sh demo $(NAME) $(NODES)

.PHONY: demo-down
demo-down: build ## Remove what make demo brought up.
	$(LAB) down

.PHONY: clusters-demo
clusters-demo: deps build ## Bring up two clusters on this machine and ping from one to the other on one network.
	@e2e/steps.sh clusters-demo $(EAST) $(WEST)

.PHONY: clusters-demo-down
clusters-demo-down: build ## Remove what make clusters-demo brought up.
	bin/lab --name $(WEST) down
	bin/lab --name $(EAST) down

.PHONY: kernel-demo
kernel-demo: deps build ## The demo with the kernel's datapath, in a virtual machine: a quarter of an hour and more.
	bin/lab images
	bin/kernel-vm run --timeout 90m --memory 10G --env OVN_SUITE=$(OVN_SUITE) -- e2e/kernel/demo.sh $(KERNEL_NODES)

.PHONY: install
install: build ## Load the images into a running local cluster and apply the manifests.
	@e2e/steps.sh install $(NAME)

##@ For developers

.PHONY: deps
deps: ## Install the Debian packages that building and testing need.
	@e2e/deps.sh

.PHONY: build
build: programs ## Build every program into bin/.
	go build -o bin/lab ./e2e/lab/cmd/lab
	go build -o bin/kernel-vm ./e2e/kernel/cmd/kernel-vm
	go build -o bin/kernel-init ./e2e/kernel/cmd/kernel-init
	go build -o bin/bench ./e2e/bench
	go build -o bin/soak ./e2e/soak
	go build -o bin/scale ./e2e/scale
	go build -o bin/release ./release

# grpcnotrace leaves out gRPC's web pages of traces, and with them 5 MB of a program.
.PHONY: programs
programs: ## Build l2sm's own programs into PROGRAMS, for GOARCH.
	@mkdir -p $(PROGRAMS)
	go build -ldflags "-s -w -X main.version=$(VERSION)" -o $(PROGRAMS)/l2sm-controller ./cmd/controller
	go build -tags grpcnotrace -ldflags "-s -w -X main.version=$(VERSION)" -o $(PROGRAMS)/l2sm-agent ./cmd/agent
	go build -ldflags "-s -w -X main.version=$(VERSION)" -o $(PROGRAMS)/l2sm ./cmd/cni
	go build -tags grpcnotrace -ldflags "-s -w -X main.version=$(VERSION)" -o $(PROGRAMS)/l2sm-edge ./cmd/edge

.PHONY: generate
generate: ## Generate CRDs, RBAC, deep copies, OVSDB models, the chart's files and the API reference.
	$(TOOL) controller-gen object crd paths=./apis/... output:crd:dir=manifests/crd
	$(TOOL) controller-gen rbac:roleName=l2sm-controller paths=./controllers/... output:rbac:dir=manifests/controller
	$(TOOL) controller-gen rbac:roleName=l2sm-agent paths=./internal/agent/... paths=./internal/identity/... output:rbac:dir=manifests/agent
	$(TOOL) controller-gen rbac:roleName=l2sm-agent-zone paths=./internal/zone/... output:rbac:dir=manifests/agent/zone
	$(TOOL) controller-gen rbac:roleName=l2sm-edge paths=./internal/edge/... output:rbac:dir=manifests/edge
	$(TOOL) controller-gen rbac:roleName=l2sm-controller-peers paths=./internal/peers/... output:rbac:dir=manifests/ovn-kubernetes
	go generate ./... # the chart's are of what stands above
	$(TOOL) crd-ref-docs --source-path=apis --config=docs/api.yaml --renderer=markdown --output-path=docs/api.md --log-level=ERROR

.PHONY: check-generate
check-generate: generate ## Fail where generated files are not what generate makes.
	git diff --exit-code -- apis charts manifests ovn internal docs

.PHONY: lint
lint: ## Run golangci-lint, shellcheck and gofmt over everything.
	$(TOOL) golangci-lint-kube-api-linter run --allow-parallel-runners ./...
	shellcheck $$(git ls-files '*.sh')

.PHONY: fuzz
fuzz: ## Fuzz the annotation parser, the ipam parser and the CNI request decoder for a minute each.
	go test -fuzz FuzzParse -fuzztime 60s ./internal/attach
	go test -fuzz FuzzParseConfig -fuzztime 60s ./internal/ipam
	go test -fuzz FuzzDecode -fuzztime 60s ./internal/cni

##@ Tests

.PHONY: test
test: ## Everything, as CI does, with the time of each part.
	@e2e/parts.sh deps build check-generate lint test-unit test-integration test-kernel test-scale test-clusters test-e2e

.PHONY: test-unit
test-unit: ## The quick tests: no root, no daemons but ovsdb-server.
	go test ./apis/... ./charts/... ./controllers/... ./docs/... ./internal/... ./ovn/... ./cmd/... ./e2e/... ./kind/... ./release/...

.PHONY: test-integration
test-integration: build ## Tests against a real kernel, OVS, OVN and kube-apiserver (root).
	@internal/evpn/frrtest/fetch.sh > /dev/null
	OVN_SUITE=trixie bin/lab images --out bin/ovn-for-zones ovn
	KUBEBUILDER_ASSETS="$$(bin/lab binaries)" L2SM_TEST_OVN_IMAGE="$(CURDIR)/bin/ovn-for-zones/ovn.tar" go test -count=1 -p 3 -timeout 20m -tags integration ./apis/... ./charts/... ./controllers/... ./internal/... ./cmd/... ./e2e/lab/... ./manifests/... ./kind/...

.PHONY: test-kernel
test-kernel: build ## Integration tests and a chain of nodes on the kernel's datapath, in a virtual machine.
	@e2e/kernel/test.sh

.PHONY: test-scale
test-scale: build ## A small scale run: fails where something is left behind or an idle system writes.
	bin/scale --sizes 100 --idle 2s --attaches 20

.PHONY: test-e2e
test-e2e: build ## The scenarios, in local clusters of their own; the quick ones also without Multus on the oldest OVN, and on zones.
	@e2e/steps.sh test $(TEST_NAME) $(NODES)

.PHONY: test-conformance
test-conformance: ## Check any cluster with l2sm by the scenarios that need nothing but kubectl: L2SM_KUBECONFIG names it.
	@go test -count=1 -tags conformance -timeout 40m -parallel 4 -v ./e2e

.PHONY: test-upgrade
test-upgrade: build ## Bring v0.1.0 to this version and back, part by part under traffic, in a local cluster of its own.
	@e2e/upgrade.sh $(TEST_NAME)-upgrade $(NODES)

.PHONY: test-clusters
test-clusters: build ## The scenarios of one network in two clusters, of fabrics Zones and Central, in local clusters of their own.
	@L2SM_EAST_OVERLAY=$${L2SM_EAST_OVERLAY:-manifests/overlays/lab-edge-zones} e2e/steps.sh test-clusters $(TEST_NAME)-east $(TEST_NAME)-west

.PHONY: test-nri
test-nri: build ## The quick scenarios without Multus, by the NRI of containerd 2: a part of test-e2e.
	@e2e/steps.sh test-nri $(TEST_NAME)

.PHONY: test-zones
test-zones: build ## The quick scenarios with OVN's databases on each node (fabric Zones): a part of test-e2e.
	@e2e/steps.sh test-zones $(TEST_NAME)

.PHONY: test-ovnk
test-ovnk: build ## The scenarios inside a real OVN-Kubernetes, built once from its Go module: a quarter of an hour the first time.
	@e2e/steps.sh test-ovnk $(TEST_NAME)-ovnk

.PHONY: test-matrix
test-matrix: build ## The quick scenarios on several versions of Kubernetes and container runtimes: ROWS=1.34:crio for one.
	@e2e/deps.sh conmon gcc
	@e2e/matrix.sh $(TEST_NAME)-matrix $(NODES) $(ROWS)

.PHONY: bench
bench: build ## Measure attach, hot attach, move and a storm on a running local cluster.
	bin/bench attach --lab $(NAME)
	bin/bench hot --lab $(NAME)
	bin/bench move --lab $(NAME)
	bin/bench storm --lab $(NAME)

.PHONY: bench-peers
bench-peers: build ## Measure OVN-Kubernetes' layer-2 secondary networks and l2sm's, in turn in one cluster of its own.
	@e2e/steps.sh bench-peers $(NAME)-peers

.PHONY: scale
scale: build ## Measure how l2sm's cost grows, without nodes: SCALE_SIZES=100,1000 is quick, 10000 takes half an hour.
	bin/scale --sizes $(SCALE_SIZES)
	bin/scale tenant
	bin/scale monitor --sizes $(SCALE_SIZES)

.PHONY: soak
soak: build ## Attach, detach and move 2,000 times on a running local cluster, under kills, and look for leaks.
	bin/soak --lab $(NAME)

##@ The local cluster

.PHONY: images
images: build ## Build the container images into bin/images.
	bin/lab images

.PHONY: lab-up
lab-up: build ## Bring up the local cluster, without l2sm.
	$(LAB) up --nodes $(NODES)

.PHONY: lab-down
lab-down: build ## Remove the local cluster.
	$(LAB) down

##@ For a release

RELEASE = --registry "$(REGISTRY)" --version "$(VERSION)" --revision "$$(git rev-parse HEAD)" --arch "$(shell echo $(ARCHITECTURES) | tr ' ' ,)" --suite $(OVN_SUITE)

.PHONY: programs-all
programs-all: build
	@for arch in $(ARCHITECTURES); do \
	  [ $$arch = "$$(go env GOARCH)" ] || GOARCH=$$arch $(MAKE) --no-print-directory programs PROGRAMS=bin/linux-$$arch; \
	done

.PHONY: push
push: programs-all ## Build the images for ARCHITECTURES and push them to REGISTRY, tagged VERSION.
	bin/release push --fresh $(RELEASE)

.PHONY: release
release: programs-all ## Push the images to REGISTRY and write what goes with them into dist/.
	bin/release dist --fresh $(RELEASE)

.PHONY: release-dry
release-dry: REGISTRY := $(or $(REGISTRY),registry.example/l2sm)
release-dry: programs-all ## The same, to a registry that ends with it: nothing leaves this machine.
	bin/release dist --dry-run --fresh $(RELEASE)

##@ With a container engine

.PHONY: kind-up
kind-up: ## Bring up a kind cluster with l2sm, or go on with one (see kind/README.md).
	kind/up.sh

.PHONY: kind-down
kind-down: ## Remove the kind cluster.
	kind/down.sh
