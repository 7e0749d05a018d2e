// Package suppression is the list of phone numbers that are never sent to, by any
// campaign: the store, the reader of files to import, and the meaning of those codes
// of Telesign's that put a number on it.
//
// It fails closed: a list that can't be read is an error, and then nothing is sent. No
// error names a number.
package suppression
