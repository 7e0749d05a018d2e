// Package tracing writes OpenTelemetry spans: of API requests, submits, feeds, attempts
// to send, receipts and deliveries to webhooks. It sends them to a collector by OTLP
// (http/protobuf), and does nothing at all unless the environment names one.
//
// A recipient has one trace. Its ID, and those of its spans, derive from the campaign,
// its life, the place and the attempt: each process knows them without asking, and
// nothing is stored.
//
//	trace of a campaign    submit ── feed, webhook
//	                          ▲        ▲ links
//	trace of a recipient   send (attempt 1) ── slot, claim, wait, post
//	                          └── receipt, receipt
//	                       send (attempt 2) …
//
// Which recipients are traced follows from the trace's ID, too: a share of all, and
// always those in doubt, failed, refused or unconfirmed. For these the process that
// records it writes what the record tells of the attempt.
//
// Spans name campaigns, places, channels, codes and states; never a number, a URL, a
// text or a key. They wait in a queue of fixed size. When it is full, new ones are
// dropped and counted: nothing ever waits for the collector.
package tracing
