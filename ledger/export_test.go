package ledger

// Waiting is how many changes wait for their delay, or to be flushed.
func (l *Ledger) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}
