package installation

// key: hash, the stamp.
func key(prefix string) string { return prefix + ":installation" }
