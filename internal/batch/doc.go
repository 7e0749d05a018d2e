// Package batch carries out what concurrent callers ask for together: one call for
// many of them, one call at a time.
package batch
