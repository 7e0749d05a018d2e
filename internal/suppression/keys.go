package suppression

// keys is the installation's prefix, with which every key begins, see
// [redisx.Prefix].
type keys string

// The keys belong to no campaign and outlive them all. The tag in braces is the name
// of the first: in a cluster all of them stand in one slot, and one script may change
// them together.

// suppressed: hash, the digits of a phone number, or an e-mail address in lower case, to
// its entry.
func (k keys) suppressed() string { return string(k) + ":suppressed" }

// past: hash, the same to the entries that no longer
// hold, the oldest first. Numbers about which one word was said have none.
func (k keys) past() string { return string(k) + ":past:{" + string(k) + ":suppressed}" }

// heard: sorted set, references of inbound messages that mustn't be acted on
// again, by when they came, Unix seconds.
func (k keys) heard() string { return string(k) + ":heard:{" + string(k) + ":suppressed}" }

// unresolved: hash, the name of a STOP whose number isn't known to what is
// known of it, in JSON.
func (k keys) unresolved() string { return string(k) + ":unresolved:{" + string(k) + ":suppressed}" }
