package installation

// key: hash, the stamp.
func key(prefix string) string { return prefix + ":installation" }

// markKey: string, the mark of the backup that is being made. See [BeginBackup].
func markKey(prefix string) string { return prefix + ":backup" }

// restoreKey: hash, the [Restore] that no person has closed yet.
func restoreKey(prefix string) string { return prefix + ":restored" }
