package ledger

import (
	"encoding/hex"
	"hash/crc32"
	"strconv"

	"github.com/handout-dev/handout/campaign"
)

// keys is the installation's prefix, with which every name in Redis begins, see
// [redisx.Prefix]. Its methods are all names that the ledger uses. Those of one
// campaign share the hash tag {<campaign>}, so that a script may touch several in a
// cluster.
type keys string

// campaigns: sorted set, campaign IDs by the time of their creation.
func (k keys) campaigns() string { return string(k) + ":campaigns" }

// dueCampaigns: sorted set, each campaign that isn't done to the Unix
// millisecond when it wants a look; and announcements, see due.go.
func (k keys) dueCampaigns() string { return string(k) + ":due" }

// dueLease: string with an expiry, which worker looks.
func (k keys) dueLease() string { return string(k) + ":due:lease" }

// dueLooked: string that expires lookedTime after a worker last looked.
func (k keys) dueLooked() string { return string(k) + ":due:looked" }

// retention: sorted set, campaign to the Unix millisecond when its retention
// may have passed. A name too many does no harm.
func (k keys) retention() string { return string(k) + ":retention" }

// heartbeat: string with an expiry, the Unix millisecond of a worker's last
// sweep, by which it notices that Redis was rolled back to an older state.
func (k keys) heartbeat(worker string) string { return string(k) + ":beat:" + worker }

// meta: hash, what the campaign is; fields in info.go.
func (k keys) meta(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:meta" }

// page: string, up to PageSize recipients, compressed; immutable.
func (k keys) page(c campaign.ID, page int) string {
	return string(k) + ":{" + string(c) + "}:page:" + strconv.Itoa(page)
}

// zones: string, of a campaign in pages by zone: for each page two bytes, the
// number of its zones in the meta field zones.
func (k keys) zones(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:zones" }

// records: hash, index within the page to packed record.
func (k keys) records(c campaign.ID, page int) string {
	return string(k) + ":{" + string(c) + "}:rec:" + strconv.Itoa(page)
}

// past: hash, "index.attempt" to the record of an earlier attempt. Most pages
// have none.
func (k keys) past(c campaign.ID, page int) string {
	return string(k) + ":{" + string(c) + "}:past:" + strconv.Itoa(page)
}

// counts: hash, recipients per counter.
func (k keys) counts(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:counts" }

// samples: sorted set with an expiry, the counts at moments of the past, see
// lua/sample.lua.
func (k keys) samples(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:samples" }

// history: list, a JSON object for each thing that was done to the campaign.
func (k keys) history(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:history" }

// watch: hash, the latest outcomes and doubts, by which a campaign is held, see
// lua/apply.lua.
func (k keys) watch(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:watch" }

// due: sorted set, page to the Unix millisecond when settle must look at it.
func (k keys) due(c campaign.ID) string { return k.line(c, Watched) }

// line is that of a line's pages, see [Line].
func (k keys) line(c campaign.ID, l Line) string {
	return string(k) + ":{" + string(c) + "}:" + lineNames[l]
}

// lease: string with an expiry, who does the named work on the campaign.
func (k keys) lease(c campaign.ID, work string) string {
	return string(k) + ":{" + string(c) + "}:lease:" + work
}

// references: hash, reference (16 packed bytes, or text) to
// position*16 + attempt, or to "position.attempt" from the 16th attempt on. It
// stands beside its campaign, not in one index for all, so that a record and
// its reference are written in one step; a bucket holds about refsPerBucket
// entries, so that Redis keeps it as a listpack.
func (k keys) references(c campaign.ID, bucket int) string {
	return string(k) + ":{" + string(c) + "}:ref:" + strconv.Itoa(bucket)
}

// refsPerBucket is half of hash-max-listpack-entries: buckets fill unevenly.
const refsPerBucket = 64

// refBuckets is the number of reference buckets of a campaign.
func refBuckets(c *campaign.Info) int {
	if c.Spec.Standing {
		return standingRefBuckets
	}
	return c.Total/refsPerBucket + 1
}

// keys: hash, the callers' keys of one-off sends, see lua/append.lua.
func (k keys) keys(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:keys" }

// day: string with an expiry, the standing campaign of a caller's key, by its
// digest.
func (k keys) day(key string) string { return string(k) + ":day:" + hex.EncodeToString([]byte(key)) }

// referenceField returns the bucket of a reference, and its field there.
func referenceField(ref string, buckets int) (field string, bucket int) {
	field = ref
	if packed, ok := campaign.PackReference(ref); ok {
		field = string(packed[:])
	}
	return field, int(crc32.ChecksumIEEE([]byte(field)) % uint32(buckets))
}

// rates: hash, campaign ID to the rate that a person has set for it; field
// accountRate for the default account, with a name behind it for another.
func (k keys) rates() string { return string(k) + ":rates" }

const accountRate = "*"

// rateChanges: hash with an expiry, a token for each change of the campaign's
// rate under way. It stands in the slot of k.rates(), see lua/rate.lua.
func (k keys) rateChanges(c campaign.ID) string {
	return string(k) + ":changes:{" + k.rates() + "}:" + string(c)
}
