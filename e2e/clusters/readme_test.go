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

// The commands of the examples' READMEs are run as they stand there, in one shell, and what
// they promise must be seen.
func TestReadme(t *testing.T) {
	out := runReadme(t, "two-clusters", 5)
	if n := strings.Count(out, " 0% packet loss"); n != 4 {
		t.Errorf("%d of 4 pings lose nothing", n)
	}
	if !strings.Contains(out, "ttl=64") {
		t.Error("no answer comes with a time to live of 64")
	}
}

// These begin where the first part of two-clusters ends.
func TestReadmesOfUses(t *testing.T) {
	newScenario(t) // for its edges
	out := runReadme(t, "federated-learning", 5)
	if strings.Count(out, "mean squared error") != 30 {
		t.Error("two clients have not trained 15 rounds each")
	}
	if !strings.Contains(out, "\nthe outsider gets no answer") {
		t.Error("who is not on the network reaches the server")
	}
	if out := runReadme(t, "cdn-two-clusters", 3); !strings.Contains(out, " 2  10.80.2.200") {
		t.Error("the server is not the second hop")
	}
}

// encryption is the part of two-clusters that TestEncrypted runs, step by step.
const encryption = "Encrypt what is between them"

func runReadme(t *testing.T, example string, blocks int) string {
	t.Helper()
	var all []string
	for _, part := range readme(t, example) {
		if part.heading != encryption {
			all = append(all, part.blocks...)
		}
	}
	if len(all) < blocks {
		t.Fatalf("%d blocks of commands in %s: were they found?", len(all), example)
	}
	return shell(t, strings.Join(all, ""))
}

// part is what stands below one heading of a README.
type part struct {
	heading string
	blocks  []string // of commands
}

func readme(t *testing.T, example string) []part {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(), "examples", example, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var parts []part
	for body := range strings.SplitSeq(string(text), "\n## ") {
		heading, _, _ := strings.Cut(body, "\n")
		p := part{heading: heading}
		for _, block := range shellBlock.FindAllStringSubmatch(body, -1) {
			p.blocks = append(p.blocks, block[1])
		}
		parts = append(parts, p)
	}
	return parts
}

// shell runs commands of a README, and fails the test where one fails.
func shell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", "set -ex\n"+script)
	cmd.Dir = repository()
	cmd.Env = append(os.Environ(), "EAST="+labs["east"], "WEST="+labs["west"])
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("commands of a README: %v\n%s", err, script)
	}
	return string(out)
}
