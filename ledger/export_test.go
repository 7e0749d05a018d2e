package ledger

// Waiting is how many changes wait for company, or to be carried.
func (l *Ledger) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}
