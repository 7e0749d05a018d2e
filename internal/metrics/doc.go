// Package metrics shows Prometheus what stands in Redis: the campaigns, the
// queues and the memory; and counts the calls to Redis that fail.
//
// What is said of the whole ledger is read when Prometheus asks, within two
// seconds, and not oftener than every five. When it can't be read, all that is
// said is handout_ledger_up 0: an old number would look like news. Campaigns
// are named, people never.
package metrics
