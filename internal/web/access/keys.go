package access

// keys is the installation's prefix, with which every key begins, see
// [redisx.Prefix].
type keys string

// keys: hash, a key's name to its JSON form, see stored.
func (k keys) keys() string { return string(k) + ":keys" }

// used: hash, a key's name to the day on which it was last used.
func (k keys) used() string { return string(k) + ":keys:used" }

// session: string with an expiry, the JSON form of a session, see session; digest
// is that of the cookie's value.
func (k keys) session(digest string) string { return string(k) + ":session:" + digest }

// sessionsEnded: string, the Unix millisecond before which all sessions have ended.
func (k keys) sessionsEnded() string { return string(k) + ":sessions:ended" }

// daily: hash with an expiry, how many recipients a key has sent to in a day of UTC: in
// all in the field *, and for each campaign and one-off send.
func (k keys) daily(name, day string) string { return string(k) + ":keys:daily:{" + name + "}:" + day }

// hourly: sorted set with an expiry, a key's one-off sends to one number, each to the
// Unix millisecond when it was asked for; digest is that of the number.
func (k keys) hourly(name, digest string) string {
	return string(k) + ":keys:hourly:{" + name + "}:" + digest
}
