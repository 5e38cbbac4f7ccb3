package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const checksumFile = "SHA256SUMS"

// writeChecksums lists all files of a folder, as sha256sum --check reads it.
func writeChecksums(folder string) error {
	var sums strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == checksumFile {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), name)
		return nil
	})
	if err != nil {
		return fmt.Errorf("sum up %q: %w", folder, err)
	}
	return os.WriteFile(filepath.Join(folder, checksumFile), []byte(sums.String()), 0o644)
}
