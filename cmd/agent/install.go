package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"l2sm.io/l2sm/apis/v1alpha1"
)

func newInstallCNI() *cobra.Command {
	var dir, plugin string
	install := &cobra.Command{
		Use:   "install-cni",
		Short: "Copy the CNI plugin to where the container runtime looks for it",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return installPlugin(plugin, filepath.Join(dir, v1alpha1.CNIType))
		},
	}
	install.Flags().StringVar(&dir, "bin-dir", "/opt/cni/bin", "the container runtime's CNI bin directory")
	install.Flags().StringVar(&plugin, "plugin", "/usr/bin/l2sm", "the plugin to copy")
	return install
}

// installPlugin copies the program so that a runtime that starts it at any moment
// starts the old one or the new one, whole.
func installPlugin(from, to string) error {
	if err := copyPlugin(from, to+".new"); err != nil {
		return fmt.Errorf("install CNI plugin %q: %w", to, err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		return fmt.Errorf("install CNI plugin %q: %w", to, err)
	}
	return nil
}

func copyPlugin(from, to string) error {
	program, err := os.Open(from)
	if err != nil {
		return err
	}
	defer program.Close()
	// A half-written one of an earlier try may be there.
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, program); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
