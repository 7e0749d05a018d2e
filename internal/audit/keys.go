package audit

// keys is the installation's prefix, with which every key begins, see
// [redisx.Prefix].
type keys string

// stream: stream, the entries; see append.lua.
func (k keys) stream() string { return string(k) + ":audit:{trail}" }

// head: hash, the number and the digest of the last entry.
func (k keys) head() string { return string(k) + ":audit:{trail}:head" }
