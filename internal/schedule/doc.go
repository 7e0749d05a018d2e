// Package schedule opens campaigns at set times: a campaign file, a list that is
// fetched or that a program prints, and a cron expression in a zone.
//
//	the clock (Redis's) ──▶ ticks that are due ──▶ a task each ──▶ one scheduler takes it
//	                        written to the ledger   (asynq)        reads the list, gate,
//	                        of the schedule                        opens the campaign
//
// Each tick has a period, its time in UTC, and the period is part of the
// campaign's ID. So any number of schedulers may run at once, any of them may be
// killed at any moment, and whatever is done twice is one campaign.
//
// The pure part: clock.go says when, decide.go what a tick does, judge.go whether a
// list may be sent. The rest: store.go keeps ticks in Redis, list.go and command.go
// read lists, run.go runs one tick, runner.go all of them.
package schedule
