package campaign

import (
	"strings"
	"time"
)

// restoredPrefix begins the reason of a campaign whose records are older than
// what has been sent.
const restoredPrefix = "Redis was restored from an older state"

// IsRestored reports whether a campaign is held for such a reason.
func IsRestored(reason string) bool { return strings.HasPrefix(reason, restoredPrefix) }

// RestoredReason returns the reason of a campaign whose Redis has lost what was
// recorded after since, or, if before is true, from some time before then.
func RestoredReason(since time.Time, before bool) string {
	of := "of "
	if before {
		of = "of before "
	}
	return restoredPrefix + " (" + of + since.UTC().Format(time.RFC3339) + "): who was sent to since then isn't known here"
}
