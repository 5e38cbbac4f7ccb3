package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// commitOf names the commit of a checkout, with -dirty where something is changed in it.
func commitOf(ctx context.Context, repository string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", "-C", repository, "describe", "--always", "--dirty").Output()
	if err != nil {
		return "", fmt.Errorf("find out the commit: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
