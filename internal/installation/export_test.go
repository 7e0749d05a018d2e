package installation

import "time"

// CheckEvery has the stamp read again so often.
func (g *Guard) CheckEvery(d time.Duration) { g.every = d }
