// Command orderhistory sends every customer of a shop the history of their
// orders as an Excel file, through handout: a scheduled export that may be
// killed at any moment and run again, and that refuses to send what looks
// wrong. `orderhistory help` lists its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
