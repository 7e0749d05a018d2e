package schedule

// keys is the installation's prefix, with which every key begins, see
// [redisx.Prefix].
type keys string

// schedule: hash, how far a schedule's ticks have been judged, and how many
// recipients its last run had.
func (k keys) schedule(name string) string { return string(k) + ":{schedule:" + name + "}" }

// ticks: hash, a period to what became of its tick, in JSON.
func (k keys) ticks(name string) string { return k.schedule(name) + ":ticks" }

// lease: string with an expiry, which scheduler is at a tick.
func (k keys) lease(name, period string) string { return k.schedule(name) + ":lease:" + period }
