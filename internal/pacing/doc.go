// Package pacing says how fast: it gives out evenly spaced slots at a rate that
// all processes on one Redis share. The rate that is set is the ceiling; what
// Telesign grants is measured by its answers.
//
// The arithmetic is pure (arithmetic.go, granted.go); lua/pace.lua does the same in
// Redis, whose clock is the one that rules, and one table and random stories test
// both. [Pacer] hands the slots to those who wait in this process: urgent ones
// first, campaigns by turns.
package pacing
