package access

// Keys of the API's callers. The ledger doesn't use them: their names stand here
// since all names do.
const (
	// keyKeys: hash, a key's name to its JSON form; the form is in key.go.
	keyKeys = "handout:keys"
	// keyUsed: hash, a key's name to the day on which it was last used.
	keyUsed = "handout:keys:used"
)

// keySession: string with an expiry, whom a browser has logged in as, see
// sessions.go; digest is that of the cookie's value.
func keySession(digest string) string { return "handout:session:" + digest }
