package suppression

// keySuppressed: hash, the digits of a phone number to its entry. It belongs to no
// campaign and outlives them all.
const keySuppressed = "handout:suppressed"
