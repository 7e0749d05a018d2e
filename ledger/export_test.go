package ledger

// Waiting is how many changes wait for their batch.
func (l *Ledger) Waiting() int { return l.changes.Waiting() }
