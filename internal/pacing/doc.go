// Package pacing says how fast: it gives out evenly spaced slots at a rate that
// all processes on one Redis share, and lowers the rate when Telesign says "too
// fast".
//
// The arithmetic is pure (arithmetic.go); lua/pace.lua and lua/throttle.lua do
// the same in Redis, whose clock is the one that rules, and one table tests both.
// [Pacer] hands the slots to those who wait in this process: urgent ones first,
// campaigns by turns.
package pacing
