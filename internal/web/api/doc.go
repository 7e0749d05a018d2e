// Package api is the REST API for other apps, under /api/v1: campaigns, lists,
// one-off sends, outcomes, exports and live progress.
//
// It judges nothing by itself: campaign files and lists go to the producer, and
// what became of them comes from the ledger, as on the command line. Who may do
// what is internal/web/access's to say. The operations are Go types, from which
// /api/v1/openapi.json is made: what isn't in it, isn't there.
//
// Lists and exports are streams in constant memory. Nothing is ever half done:
// a client that got no answer makes the same request again.
package api
