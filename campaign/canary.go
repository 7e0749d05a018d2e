package campaign

import (
	"fmt"
	"math"
	"strconv"
)

// The outcomes of a canary; the empty text means that it isn't decided yet.
const (
	CanaryPassed = "passed"
	CanaryFailed = "failed"
)

// CanarySize returns how many recipients, the first that are fed, form the canary
// of a list of total; 0 for none.
func (s *Spec) CanarySize(total int) int { return min(s.Canary, total) }

// CanaryMoving reports, by the counts alone, whether outcomes of the canary are
// missing; fed is how many recipients have been fed, all of them canary.
func (b *Balance) CanaryMoving(fed int) bool {
	unfed := b.Total() - fed
	return b.Moving() > unfed
}

// JudgeCanary reports whether enough of the canary were delivered, and the result
// in words. Recipients who were never sent to, because the number is suppressed or
// the campaign was canceled, don't count; a canary of none but these hasn't
// passed. All of the canary must have an outcome.
func (b *Balance) JudgeCanary(fed int, limit float64) (passed bool, words string) {
	of := fed - b.Of(Suppressed) - b.Of(Canceled)
	delivered := b.Of(Delivered)
	need := int(math.Ceil(limit*float64(of) - 1e-9))
	return of > 0 && delivered >= need, fmt.Sprintf("%s of %s delivered", Number(delivered), Number(of))
}

// Percent returns a share, 0 to 1, in percent without the sign.
func Percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e4)/100, 'f', -1, 64)
}
