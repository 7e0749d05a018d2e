// Package bench measures handout against the plain way of doing the same work,
// both in the same run on the same machine: its figures are noisy on a busy
// machine, their ratios much less so.
//
// The plain way is what a competent engineer writes in an afternoon: one asynq
// task per recipient with the whole message in its payload, a handler that
// posts it and writes a hash per recipient and a key per reference, and an HTTP
// handler that looks the reference up and writes the outcome. It keeps none of
// handout's promises.
//
// There is nothing to import here: run make bench. No benchmark fails on a
// number; the table at the end says which requirements were met. The flag
// -profiles DIR writes CPU profiles of handout's side alone.
package bench
