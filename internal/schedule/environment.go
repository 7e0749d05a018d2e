package schedule

import (
	"os"
	"slices"
	"strings"
)

// exported are the variables of handout's own that a program needs that opens a campaign
// itself: where the ledger is.
var exported = []string{"REDIS_URL", "REDIS_URL_FILE", "HANDOUT_PREFIX", "HANDOUT_REDIS_CA", "HANDOUT_REDIS_CERT", "HANDOUT_REDIS_KEY"}

// Environment returns this process's variables that programs get: those of others, and
// of handout's own where Redis is. A variable that a later handout brings, and may be a
// secret, isn't among them.
func Environment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		ours := strings.HasPrefix(name, "HANDOUT_") || strings.HasPrefix(name, "TELESIGN_") || strings.HasPrefix(name, "REDIS_")
		return ours && !slices.Contains(exported, name)
	})
}
