// Package operating runs the commands of the runbook, docs/operating.md, against real
// processes. It has only tests.
package operating
