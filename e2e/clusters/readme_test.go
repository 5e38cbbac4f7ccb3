//go:build e2e

package clusters

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// The commands of the example's README are run as they stand there, in one shell, and what
// it promises must be seen.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository(), "examples", "two-clusters", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -ex\n"
	blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
	for _, block := range blocks {
		script += block[1]
	}
	if len(blocks) < 5 {
		t.Fatalf("%d blocks of commands: were they found?", len(blocks))
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = repository()
	cmd.Env = append(os.Environ(), "EAST="+labs["east"], "WEST="+labs["west"])
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), " 0% packet loss"); n != 4 {
		t.Errorf("%d of 4 pings lose nothing", n)
	}
	if !strings.Contains(string(out), "ttl=64") {
		t.Error("no answer comes with a time to live of 64")
	}
	t.Logf("%s", out)
}
