package suppression

// keySuppressed: hash, phone numbers never to be sent to, digits only, to
// when and why. It belongs to no campaign and outlives them all.
const keySuppressed = "handout:suppressed"
