// Package accounts holds, by tests alone, that installations with several Telesign
// accounts never cross: two of them on one Redis Cluster, each with two accounts, against
// a simulator for each account, whose log is the judge.
package accounts
