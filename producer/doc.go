// Package producer opens campaigns: it takes what to send and a list of people,
// checks every row, and makes a campaign of it in the ledger. It is what other
// Go programs import to hand something out.
//
// The shortest use, on the Redis that the workers have:
//
//	file, err := producer.ParseCampaign("campaign.yaml", src)
//	...
//	client := producer.New(rdb)
//	result, err := client.Submit(ctx, file, producer.ListFile("list.csv"), producer.SubmitOptions{})
//
// [Client.Send] sends to one person. What became of everyone is asked of the
// ledger: see [github.com/handout-dev/handout/ledger.Ledger].
//
// A list is CSV with a header, NDJSON, or a Go iterator. It is read once, as a
// stream, in memory that doesn't grow with it but for what finding duplicates
// takes: 3 to 6 bytes for each of ten million phone numbers, and at most 256 MB:
//
//	read ──▶ check rows (all processors) ──▶ collect in order ──▶ compress ──▶ write pages
//	         phone, templates, size           duplicates, digest
//
// It promises:
//
//   - All or nothing. Pages are written to a draft that nobody sends from; only
//     the last step makes the campaign stand. A fault deletes the draft. A
//     killed process leaves one, and the same Submit run again finishes it.
//   - Submitting the same content under the same ID again changes nothing and
//     says so; other content is refused with [OtherContentError].
//   - A bad row is never dropped in silence: it rejects the list, or is
//     reported by its line when the caller sets bad rows aside.
//   - No error, fault or sample holds a phone number or another cell of the
//     list: they name the line, the column and the reason.
//
// It never sends anything, and it doesn't log.
package producer
