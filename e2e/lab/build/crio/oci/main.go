// Command oci is runc to CRI-O: it becomes runc, after it has raised a container's OOM score to what this machine allows.
//
// A lab may run where nobody may lower a score (root without CAP_SYS_RESOURCE, as in many containers). runc then refuses
// the container. containerd has a setting for that (restrict_oom_score_adj), CRI-O has none.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "oci:", err)
		os.Exit(1)
	}
}

func run() error {
	if bundle, ok := bundleOf(os.Args); ok {
		if err := restrict(filepath.Join(bundle, "config.json")); err != nil {
			return fmt.Errorf("restrict OOM score of container: %w", err)
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ())
}

// bundleOf finds the folder of a container that is about to be created.
func bundleOf(args []string) (string, bool) {
	for i, arg := range args {
		if (arg == "--bundle" || arg == "-b") && i+1 < len(args) {
			return args[i+1], true
		}
		if value, ok := strings.CutPrefix(arg, "--bundle="); ok {
			return value, true
		}
	}
	return "", false
}

// restrict changes the one number and leaves all else of the file as it is.
func restrict(file string) error {
	var config map[string]json.RawMessage
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return err
	}
	var process map[string]json.RawMessage
	if err := json.Unmarshal(config["process"], &process); err != nil {
		return err
	}
	lowest, err := own()
	if err != nil {
		return err
	}
	var score int
	if raw, ok := process["oomScoreAdj"]; !ok || json.Unmarshal(raw, &score) != nil || score >= lowest {
		return nil
	}
	process["oomScoreAdj"] = json.RawMessage(strconv.Itoa(lowest))
	if config["process"], err = json.Marshal(process); err != nil {
		return err
	}
	if data, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// own is this process' score, which a child may have too.
func own() (int, error) {
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}
