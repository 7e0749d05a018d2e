package access

const (
	// keyKeys: hash, a key's name to its JSON form, see stored.
	keyKeys = "handout:keys"
	// keyUsed: hash, a key's name to the day on which it was last used.
	keyUsed = "handout:keys:used"
)

// keySession: string with an expiry, the JSON form of a session, see session; digest
// is that of the cookie's value.
func keySession(digest string) string { return "handout:session:" + digest }
