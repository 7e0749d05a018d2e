package suppression

// The keys belong to no campaign and outlive them all. The tag in braces is the name
// of the first: in a cluster all of them stand in one slot, and one script may change
// them together.
const (
	// keySuppressed: hash, the digits of a phone number to its entry.
	keySuppressed = "handout:suppressed"
	// keyPast: hash, the digits of a phone number to the entries that no longer
	// hold, the oldest first. Numbers about which one word was said have none.
	keyPast = "{handout:suppressed}:past"
	// keyHeard: sorted set, references of inbound messages that mustn't be acted on
	// again, by when they came, Unix seconds.
	keyHeard = "{handout:suppressed}:heard"
	// keyUnresolved: hash, the name of a STOP whose number isn't known to what is
	// known of it, in JSON.
	keyUnresolved = "{handout:suppressed}:unresolved"
)
