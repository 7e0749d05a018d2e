package proposal

import "github.com/handout-dev/handout/campaign"

// keys is the installation's prefix, with which every key begins, see [redisx.Prefix].
type keys string

// file: hash with an expiry, a campaign file that waits for its list, see
// lua/propose.lua. It has the campaign's hash tag: ledger's commit.lua reads it.
func (k keys) file(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:proposed" }

// index: sorted set, campaign to the Unix millisecond until which its file may wait. A
// name too many does no harm.
func (k keys) index() string { return string(k) + ":proposals" }
