// Package translate stands between the language of a campaign and Telesign's: a
// recipient becomes a request ([Compose]), a receipt becomes an event of the
// state machine ([Receipt]), and a record becomes words ([Reason]). No other code
// knows both.
//
// It is pure: it sends and stores nothing.
package translate
