// Command oci is runc to CRI-O: it becomes runc, after it has taken out of a container's configuration what this machine
// does not allow. containerd has settings for both, CRI-O has none.
//
// A lab may run where nobody may lower an OOM score (root without CAP_SYS_RESOURCE, as in many containers), and where the
// control groups of huge pages are not mounted, although the kernel has them. runc refuses a container that asks for either.
package main

import (
	"encoding/json"
	"errors"
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

// object is a JSON object of which only what is named is looked into.
type object map[string]json.RawMessage

// restrict leaves all else of the file as it is.
func restrict(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var config object
	if err := json.Unmarshal(data, &config); err != nil {
		return err
	}
	lowest, err := own()
	if err != nil {
		return err
	}
	err = errors.Join(
		config.change("process", func(process object) error { return process.raise("oomScoreAdj", lowest) }),
		config.change("linux", func(linux object) error {
			return linux.change("resources", func(resources object) error {
				delete(resources, "hugepageLimits")
				return nil
			})
		}))
	if err != nil {
		return err
	}
	if data, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// change hands out the object of that name, if there is one, and puts it back.
func (o object) change(name string, edit func(object) error) error {
	if _, ok := o[name]; !ok {
		return nil
	}
	var inner object
	if err := json.Unmarshal(o[name], &inner); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := edit(inner); err != nil {
		return err
	}
	var err error
	o[name], err = json.Marshal(inner)
	return err
}

// raise makes a number at least so high.
func (o object) raise(name string, lowest int) error {
	if _, ok := o[name]; !ok {
		return nil
	}
	var is int
	if err := json.Unmarshal(o[name], &is); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	o[name] = json.RawMessage(strconv.Itoa(max(is, lowest)))
	return nil
}

// own is this process' score, which a child may have too.
func own() (int, error) {
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}
