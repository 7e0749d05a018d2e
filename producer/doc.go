// Package producer is what other Go programs import to send a file to many people.
// It takes a campaign file and a list, checks every row, and makes a campaign of
// them in Redis, from where the workers send it.
//
// The shortest use, on the Redis that the workers use:
//
//	file, err := producer.ParseCampaign("campaign.yaml", src)
//	...
//	client := producer.New(rdb)
//	result, err := client.Submit(ctx, file, producer.ListFile("list.csv"), producer.SubmitOptions{})
//
// [Client.Send] sends to one person. [Client.Status] says where a campaign stands,
// [Client.Outcomes] what became of everyone, and [Client.Person] of one. A program
// needs no other package of handout: what it must name has a name here.
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
//   - All or nothing. Pages are written to a draft, of which nothing is sent; only
//     the last step makes the campaign stand. A fault deletes the draft. A
//     killed process leaves one, and the same Submit run again finishes it.
//   - Submitting the same content under the same ID again changes nothing and
//     says so; other content is refused with [OtherContentError].
//   - Every bad row is reported: it rejects the list, or is named by its line when
//     the caller sets bad rows aside.
//   - No error, fault or sample holds a phone number or another cell of the
//     list: they name the line, the column and the reason.
//
// It never sends anything, and it doesn't log.
package producer
