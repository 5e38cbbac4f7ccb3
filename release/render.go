package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"l2sm.io/l2sm/e2e/lab"
)

// install is a folder of manifests, with the images of the registry, by version and digest: what is
// applied is what was pushed.
func (v *version) install(ctx context.Context, out, from string, digests map[string]v1.Hash) ([]byte, error) {
	folder, err := os.MkdirTemp(out, ".install-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	manifests, err := filepath.Rel(folder, filepath.Join(v.images.Repository, from))
	if err != nil {
		return nil, err
	}
	var k strings.Builder
	fmt.Fprintf(&k, "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [%s]\nimages:\n", manifests)
	for _, name := range []string{"controller", "agent", "edge", "ovn"} {
		fmt.Fprintf(&k, "- {name: localhost/l2sm-%s, newName: %s/l2sm-%s, newTag: %s, digest: %q}\n", name, v.registry, name, v.name, digests[name])
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(k.String()), 0o644); err != nil {
		return nil, err
	}
	programs, err := lab.Programs(ctx, lab.Options{Cache: v.images.Cache, Repository: v.images.Repository, Log: io.Discard})
	if err != nil {
		return nil, fmt.Errorf("find kubectl: %w", err)
	}
	text, err := run(exec.CommandContext(ctx, filepath.Join(programs, "kubectl"), "kustomize", folder))
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte("localhost/")) {
		return nil, fmt.Errorf("%s has an image that release/render.go does not know: it is still localhost/", from)
	}
	return text, nil
}

// pingPong is the first example, with the registry's image.
func (v *version) pingPong(digest v1.Hash) ([]byte, error) {
	var all [][]byte
	for _, name := range []string{"network.yaml", "pods.yaml"} {
		text, err := os.ReadFile(filepath.Join(v.images.Repository, "examples", "ping-pong", name))
		if err != nil {
			return nil, fmt.Errorf("read example: %w", err)
		}
		all = append(all, text)
	}
	text := bytes.Join(all, []byte("---\n"))
	return bytes.ReplaceAll(text, []byte("localhost/l2sm-toolbox:dev"), []byte(v.reference("toolbox")+"@"+digest.String())), nil
}

// chart packs the Helm chart, with the registry as its default.
func (v *version) chart(ctx context.Context, out string) error {
	folder, err := os.MkdirTemp("", "l2sm-chart-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	copied := filepath.Join(folder, "l2sm")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(v.images.Repository, "charts", "l2sm"))); err != nil {
		return fmt.Errorf("copy chart: %w", err)
	}
	values := filepath.Join(copied, "values.yaml")
	text, err := os.ReadFile(values)
	if err != nil {
		return fmt.Errorf("read chart: %w", err)
	}
	own := bytes.Replace(text, []byte("registry: localhost\n"), []byte("registry: "+v.registry+"\n"), 1)
	if bytes.Equal(own, text) {
		return fmt.Errorf("charts/l2sm/values.yaml has no line `registry: localhost` to put %s in", v.registry)
	}
	if err := os.WriteFile(values, own, 0o644); err != nil {
		return err
	}
	_, err = v.tool(ctx, "helm", "package", copied, "--destination", out, "--version", chartVersion(v.name), "--app-version", v.name)
	return err
}

// chartVersion is a version as Helm wants it, v0.1.0-3-gabc among them; other names, such as a commit's, become 0.0.0-NAME.
func chartVersion(name string) string {
	version := strings.TrimPrefix(name, "v")
	if strings.Count(version, ".") >= 2 && version != name {
		return version
	}
	return "0.0.0-" + name
}

// tool runs one of the tools of go.tools.mod.
func (v *version) tool(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"tool", "-modfile=go.tools.mod"}, args...)...)
	cmd.Dir = v.images.Repository
	return run(cmd)
}

func run(cmd *exec.Cmd) ([]byte, error) {
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, problems.Bytes())
	}
	return out.Bytes(), nil
}
