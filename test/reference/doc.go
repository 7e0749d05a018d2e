// Package reference keeps docs/campaign-file.md and docs/campaign.schema.json: its
// table names every field of a campaign file, and its tests hold the table against the
// code, and the documents against the table. After a change:
//
//	go test ./test/reference -update
package reference
