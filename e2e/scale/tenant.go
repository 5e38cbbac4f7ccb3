package main

import "github.com/spf13/cobra"

func newTenant(*options) *cobra.Command  { return &cobra.Command{Use: "tenant"} }
func newMonitor(*options) *cobra.Command { return &cobra.Command{Use: "monitor"} }
