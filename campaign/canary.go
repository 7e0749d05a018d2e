package campaign

import (
	"fmt"
	"math"
	"strconv"
)

// What a canary has come to; the empty text while it isn't decided.
const (
	CanaryPassed = "passed"
	CanaryFailed = "failed"
)

// CanarySize is how many recipients, the first that are fed, are the canary of
// a list of total; 0 for none.
func (s *Spec) CanarySize(total int) int { return min(s.Canary, total) }

// CanaryMoving says whether outcomes of the canary are missing by the counts
// alone: fed are so many recipients, and nobody after them.
func (b *Balance) CanaryMoving(fed int) bool {
	unfed := b.Total() - fed
	return b.Moving() > unfed
}

// JudgeCanary says whether enough of the canary were delivered to, and what it
// came to in words. Who was never sent to, because the number is suppressed or
// the campaign was canceled, says nothing; a canary of nobody else has proved
// nothing. All of the canary must have an outcome.
func (b *Balance) JudgeCanary(fed int, limit float64) (passed bool, words string) {
	of := fed - b.Of(Suppressed) - b.Of(Canceled)
	delivered := b.Of(Delivered)
	need := int(math.Ceil(limit*float64(of) - 1e-9))
	return of > 0 && delivered >= need, fmt.Sprintf("%d of %d delivered", delivered, of)
}

// Percent is a share in words, without its sign.
func Percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e4)/100, 'f', -1, 64)
}
