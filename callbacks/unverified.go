package callbacks

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/handout-dev/handout/internal/unverified"
	"github.com/handout-dev/handout/telesign"
)

// noticeTime is the shortest time between two warnings about signatures.
const noticeTime = time.Minute

// notices collects receipts whose signature doesn't hold, and says so at most once in
// noticeTime: in the log, and to those who read [unverified.Read]. What a process that
// dies hasn't said yet is lost; Telesign calls again.
type notices struct {
	mu      sync.Mutex
	pending int       // since the last warning
	last    time.Time // of the last warning
	refused bool      // since a receipt was last verified; true at the start, for those of processes before
}

// refuse counts a body whose signature doesn't hold, if it is a receipt: what else the
// Internet sends says nothing about our key.
func (l *Listener) refuse(r *http.Request, body []byte, why unverified.Why) {
	receipt, err := telesign.ParseReceipt(body)
	if err != nil || !receipt.Status.Code.Known() {
		return
	}
	n, now := &l.notices, time.Now()
	n.mu.Lock()
	n.pending++
	n.refused = true
	count := n.pending
	due := now.Sub(n.last) >= noticeTime
	if due {
		n.pending, n.last = 0, now
	}
	n.mu.Unlock()
	if !due {
		return
	}
	l.log.Warn("receipts are refused: "+why.Advice(), "receipts", count, "class", string(why))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), recordTimeout)
	defer cancel()
	if err := unverified.Add(ctx, l.rdb, count, why, now); err != nil {
		l.log.Warn("refused receipts aren't shown on the pages", "error", err)
	}
}

// verified takes back the warning once a receipt was verified. Where several listeners
// run, one with a wrong key warns again.
func (l *Listener) verified(ctx context.Context) {
	n := &l.notices
	n.mu.Lock()
	refused := n.refused
	n.refused, n.pending = false, 0
	n.mu.Unlock()
	if !refused {
		return
	}
	if err := unverified.Clear(ctx, l.rdb); err != nil {
		n.mu.Lock()
		n.refused = true // the next one clears it
		n.mu.Unlock()
		l.log.Warn("the warning about refused receipts stays on the pages", "error", err)
	}
}
