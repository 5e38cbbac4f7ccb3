//go:build integration

package main

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/pki"
)

// secrets returns the resource versions of the Secrets by name.
func secrets(t *testing.T, api client.Client) map[string]string {
	t.Helper()
	list := &corev1.SecretList{}
	if err := api.List(t.Context(), list, client.InNamespace("default")); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, s := range list.Items {
		versions[s.Name] = s.ResourceVersion
	}
	return versions
}

// changed returns the names of the Secrets that were written in between.
func changed(before, after map[string]string) []string {
	names := []string{}
	for name, version := range after {
		if before[name] != version {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func sorted(names ...string) []string { return slices.Sorted(slices.Values(names)) }

func everySecret() []string {
	return sorted(agentSecret, centralSecret, controlAuthority, controlSecret, controllerSecret, metricsAuthority)
}

func startAPI(t *testing.T) client.Client {
	t.Helper()
	env := &envtest.Environment{}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("start kube-apiserver: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stop kube-apiserver: %v", err)
		}
	})
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// Each step runs the keeper on what the step before has left on a real
// kube-apiserver.
func TestEnsureCertificates(t *testing.T) {
	api := startAPI(t)
	now, hosts, moved := time.Now(), centralHosts("default", "10.96.0.20"), centralHosts("default", "10.96.0.21")
	late := now.Add(pki.LeafLifetime - renewBefore + time.Hour)
	nothing := func() error { return nil }
	remove := func(name string) func() error {
		return func() error {
			s := &corev1.Secret{}
			s.Name, s.Namespace = name, "default"
			return api.Delete(t.Context(), s)
		}
	}

	steps := []struct {
		name, reason string
		before       func() error
		hosts        []string
		now          time.Time
		want         []string
	}{
		{"First", "There is nothing yet.", nothing, hosts, now, everySecret()},
		{"Again", "What will do is kept, or running daemons would lose each other.", nothing, hosts, now, []string{}},
		{"NewAddress", "The Service was re-created.", nothing, moved, now, []string{centralSecret}},
		{"ClientGone", "The authority is still there to sign another.", remove(controlSecret), moved, now, []string{controlSecret}},
		{"Old", "Leaves are renewed in their last year, the authority lives on.", nothing, moved, late, sorted(agentSecret, centralSecret, controlSecret, controllerSecret)},
		{"ControlGone", "What it signed can't be renewed, so it is made again, and nothing else.", remove(controlAuthority), moved, late, sorted(centralSecret, controlAuthority, controlSecret)},
		{"MetricsGone", "The databases have nothing to do with it.", remove(metricsAuthority), moved, late, sorted(agentSecret, controllerSecret, metricsAuthority)},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			if err := step.before(); err != nil {
				t.Fatal(err)
			}
			before := secrets(t, api)
			k := keeper{api: api, namespace: "default", now: step.now}
			central, err := k.ensure(t.Context(), step.hosts)
			if err != nil {
				t.Fatalf("%s: %v", step.reason, err)
			}
			if diff := cmp.Diff(step.want, changed(before, secrets(t, api))); diff != "" {
				t.Errorf("%s Secrets written, -want +got:\n%s", step.reason, diff)
			}
			checkFiles(t, central)
		})
	}
}

// Where no database is central, replicas of the controller that start at once make what
// all of them serve with, and nothing else.
func TestMetricsCertificates(t *testing.T) {
	api := startAPI(t)
	const replicas = 4
	contents := make([]map[string][]byte, replicas)
	var all errgroup.Group
	for i := range replicas {
		all.Go(func() (err error) {
			contents[i], err = keeper{api: api, namespace: "default", now: time.Now()}.metricsBesideOthers(t.Context())
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorted(agentSecret, controllerSecret, metricsAuthority), changed(nil, secrets(t, api))); diff != "" {
		t.Errorf("Secrets written, -want +got:\n%s", diff)
	}
	k := keeper{api: api, namespace: "default", now: time.Now()}
	authority, err := k.authority(t.Context(), metricsAuthority, "l2sm metrics")
	if err != nil {
		t.Fatal(err)
	}
	for i, content := range contents {
		pair := pki.Pair{Certificate: content[pki.CertificateFile], Key: content[pki.KeyFile]}
		if !authority.Covers(pair, []string{inventory.ControllerName}, k.now) {
			t.Errorf("replica %d serves with another authority's certificate, or another name's", i)
		}
		checkFiles(t, content)
	}
}

// The authority of v0.1.0 signs what its nodes see, for as long as its Secret is
// there, and the controller is told of it. No other Secret changes.
func TestSharedCertificate(t *testing.T) {
	api := startAPI(t)
	k, hosts := keeper{api: api, namespace: "default", now: time.Now()}, centralHosts("default", "10.96.0.20")
	if _, err := k.ensure(t.Context(), hosts); err != nil {
		t.Fatal(err)
	}
	told := func() string {
		s, err := k.get(t.Context(), controlSecret)
		if err != nil {
			t.Fatal(err)
		}
		return string(s.Data[pki.SharedFile])
	}
	shared := func() map[string][]byte {
		files, err := k.shared(t.Context(), hosts)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 3 { // or those of an earlier start would stay
			t.Errorf("want all three files, got %d", len(files))
		}
		return files
	}
	renewed := func(after time.Duration) {
		t.Helper()
		k.now = k.now.Add(after)
		if _, err := k.ensure(t.Context(), hosts); err != nil {
			t.Fatal(err)
		}
	}
	before := secrets(t, api)
	if files := shared(); len(files[pki.SharedFile]) > 0 || told() != "" {
		t.Error("an authority is trusted that was never there")
	}

	former, err := k.authority(t.Context(), sharedAuthority, "l2sm")
	if err != nil {
		t.Fatal(err)
	}
	own := string(former.Pair().Certificate)
	for range 2 {
		files := shared()
		pair := pki.Pair{Certificate: files["shared.crt"], Key: files["shared.key"]}
		if !former.Covers(pair, hosts, k.now) || string(files[pki.SharedFile]) != own {
			t.Error("the files are no certificate of the former authority for the databases' hosts")
		}
		if told() != own {
			t.Error("the controller is not told of the former authority")
		}
	}
	if diff := cmp.Diff(sorted(controlSecret, sharedAuthority), changed(before, secrets(t, api))); diff != "" {
		t.Errorf("Secrets written, -want +got:\n%s", diff)
	}
	// What pki renews and what it creates has it.
	renewed(pki.LeafLifetime - renewBefore + time.Hour)
	if told() != own {
		t.Error("a renewed certificate of the controller's lost it")
	}
	control, err := k.get(t.Context(), controlSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Delete(t.Context(), control); err != nil {
		t.Fatal(err)
	}
	shared()
	renewed(0)
	if told() != own {
		t.Error("the controller's Secret is created without it, and is mounted so")
	}

	s, err := k.get(t.Context(), sharedAuthority)
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Delete(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if files := shared(); len(files[pki.SharedFile]) > 0 || told() != "" {
		t.Error("it is trusted though its Secret is deleted")
	}
}

// checkFiles writes what ovn-central gets and loads it as its clients do.
func checkFiles(t *testing.T, content map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	if err := writeFiles(dir, content); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Load(dir); err != nil {
		t.Errorf("load what was written: %v", err)
	}
	for name := range maps.Keys(content) {
		written, err := os.ReadFile(dir + "/" + name)
		if err != nil || !bytes.Equal(written, content[name]) {
			t.Errorf("file %q: %v", name, err)
		}
	}
}
