// Package suppression is the list of phone numbers that are never sent to,
// whatever the campaign: the store, the reader of files that people import, and
// the codes of Telesign's that put a number on it.
//
// A list that can't be read is an error: it never means "go ahead". No error
// names a number.
package suppression
