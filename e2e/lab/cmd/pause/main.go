// Command pause is the first process of every pod on the local cluster: it holds the pod's namespaces until it is told
// to end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGCHLD) // the kernel then reaps what a pod with a shared PID namespace leaves behind
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}
