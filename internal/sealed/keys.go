package sealed

import "github.com/handout-dev/handout/campaign"

// keys is the installation's prefix, see [redisx.Prefix].
type keys string

// erased: string, how many campaigns were purged since the append-only file was last
// written anew for it.
func (k keys) erased() string { return string(k) + ":erased" }

// key: hash, the salt of a campaign's life to its wrapped key. It has an entry more for
// each submit that was interrupted before it had the draft; no page is sealed by those.
func (k keys) key(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:key" }
