package campaign

import (
	"strings"
	"time"
)

// MessageColumn is the column of a standing campaign: the encoded [Spec] of the
// recipient's own message. Recipients of a key have its name as a second value, see
// [Info.OwnerOf].
const MessageColumn = "message"

const standingPrefix = "sends-"

// StandingID returns the ID of an account's standing campaign of a day in UTC, as in
// sends-2026-11-22; that of another account than the default ends with its name, as in
// sends-2026-11-22-us.
func StandingID(day time.Time, account string) ID {
	id := standingPrefix + day.UTC().Format(time.DateOnly)
	if account != DefaultAccount {
		id += "-" + account
	}
	return ID(id)
}

// StandingDay takes the ID of a standing campaign apart.
func StandingDay(id ID) (day time.Time, account string, ok bool) {
	rest, ok := strings.CutPrefix(string(id), standingPrefix)
	if n := len(time.DateOnly); len(rest) > n {
		rest, account = rest[:n], strings.TrimPrefix(rest[n:], "-")
	} else {
		account = DefaultAccount
	}
	day, err := time.Parse(time.DateOnly, rest)
	ok = ok && err == nil && StandingID(day, account) == id
	return day, account, ok
}

// StandingSpec returns the spec of an account's standing campaign; each recipient has a
// message of their own.
func StandingSpec(id ID, account string) *Spec {
	return &Spec{ID: id, Standing: true, Lane: LaneUrgent, OnDoubt: DoubtHold, Account: StoredAccount(account)}
}

// OwnerOf returns the key whose recipient it is; empty: none's.
func (i *Info) OwnerOf(r *Recipient) string {
	if i.Spec.Standing && len(r.Values) == 2 {
		return r.Values[1]
	}
	return i.Owner
}
