// Package references finds the campaign of a receipt that brings Telesign's reference
// and no external ID of ours.
//
// An index of the whole installation says in one command which campaigns may have
// the reference: none, for another application's receipt on the same account. The
// campaign's own index (see ledger) then says whether it has, and for whom. Receipts
// whose reference isn't known yet are kept here for a day.
//
// The index is a help and nothing more: an entry that is lost, or one too many,
// changes no record.
package references
