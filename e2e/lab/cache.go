package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// Cache is the folder that holds everything: programs and images by version, and the state of each cluster.
type Cache string

// DefaultCache is a folder in the user's cache directory.
func DefaultCache() (Cache, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w", err)
	}
	return Cache(filepath.Join(dir, "l2sm")), nil
}

// Lab is the folder of one cluster.
func (c Cache) lab(name string) string { return filepath.Join(string(c), "labs", name) }
func (c Cache) programs() string       { return filepath.Join(string(c), "programs") }
func (c Cache) images() string         { return filepath.Join(string(c), "images") }
