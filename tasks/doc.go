// Package tasks is what stands in the queue: the types of tasks, their payloads,
// queues and options. A task says only where to look, by campaign, page and index
// (and, at high rates, how many from there on): no phone number and no text ever
// stands in the queue, where every console shows it.
//
// The queue is only the wake-up. A task that is lost is written again from the
// ledger, one that comes twice or late does no harm, and an ID that is taken
// counts as success. Payloads are a public format: golden bytes stand in testdata,
// a new version is read before it is written, and an unknown one is refused with
// its number.
package tasks
