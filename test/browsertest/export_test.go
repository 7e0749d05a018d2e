package browsertest

import "testing"

// Locate is what Start does first.
func Locate(t testing.TB) { locate(t) }
