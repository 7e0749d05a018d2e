package schedule

import (
	"regexp"
	"slices"
	"strings"
)

// ofEvery are the variables that every program gets, as patterns: what finds programs and
// files, and says how to write times and texts. Whatever else the scheduler has, secrets
// above all, a schedule must name.
var ofEvery = []string{"PATH", "HOME", "LANG", "LC_*", "TZ", "TMPDIR"}

// variables are names, with a * at the end of which all that begin so are meant: three
// characters at least, so that no one means everything.
var variables = regexp.MustCompile(`^[A-Za-z_]([A-Za-z0-9_]*|[A-Za-z0-9_]{2,}\*)$`)

func isVariable(pattern string) bool { return variables.MatchString(pattern) }

// environment returns of all variables, each as in NAME=value, those that a program of a
// schedule gets that names these.
func environment(all, named []string) []string {
	var kept []string
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		if slices.ContainsFunc(append(slices.Clip(ofEvery), named...), func(pattern string) bool {
			begins, some := strings.CutSuffix(pattern, "*")
			return name == pattern || some && strings.HasPrefix(name, begins)
		}) {
			kept = append(kept, kv)
		}
	}
	return kept
}
