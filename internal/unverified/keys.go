package unverified

// keys is the installation's prefix, with which every key begins, see
// [redisx.Prefix].
type keys string

// refused: hash with an expiry, what a [Notice] says.
func (k keys) refused() string { return string(k) + ":receipts:refused" }
