//go:build e2e

package e2e

// Lab only: examples use the namespace default.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// The commands of an example's README are run as they stand there, in one
// shell, and what the README promises must be seen.
func TestExampleReadmes(t *testing.T) {
	for example, promises := range map[string][]string{
		"adding-ips": {"10.0.0.1/24 fd10::1/64", " 0% packet loss", "address 10.0.0.2 is taken by", "two-net1-"},
		"cdn":        {" 1  10.0.1.1 ", " 2  10.0.2.10 ", "ttl=63", " 0% packet loss", "lladdr 02:00:00:00:02:01"},
		"ping-pong":  {"ttl=64", " 0% packet loss", "ping-net1-", "ping-network", "0 packets captured"},
	} {
		t.Run(example, func(t *testing.T) {
			out := runReadme(t, filepath.Join(repository(), "examples", example, "README.md"))
			for _, promise := range promises {
				if !strings.Contains(out, promise) {
					t.Errorf("the README's commands never print %q", promise)
				}
			}
			if strings.Contains(out, "100% packet loss") {
				t.Error("a ping of the README is lost")
			}
			t.Logf("%s", out)
		})
	}
}

func runReadme(t *testing.T, readme string) string {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -ex\n")
	blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatalf("%s has no commands", readme)
	}
	for _, block := range blocks {
		script.WriteString(block[1])
	}
	bin := t.TempDir()
	kubectl := fmt.Sprintf("#!/bin/sh\nexec %s/bin/lab --name %s kubectl \"$@\"\n", repository(), labName)
	if err := os.WriteFile(filepath.Join(bin, "kubectl"), []byte(kubectl), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.WaitDelay = 5 * time.Second // what it started in the background holds its output
	cmd.Dir = repository()
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
