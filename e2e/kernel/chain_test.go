//go:build kernel

package kernel_test

import "testing"

func TestNothing(t *testing.T) {}
