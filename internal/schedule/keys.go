package schedule

// keySchedule: hash, how far a schedule's ticks have been judged, and how many
// recipients its last run had.
func keySchedule(name string) string { return "handout:{schedule:" + name + "}" }

// keyTicks: hash, a period to what became of its tick, in JSON.
func keyTicks(name string) string { return keySchedule(name) + ":ticks" }

// keyLease: string with an expiry, which scheduler is at a tick.
func keyLease(name, period string) string { return keySchedule(name) + ":lease:" + period }
