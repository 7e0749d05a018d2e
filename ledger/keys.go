package ledger

import (
	"encoding/hex"
	"hash/crc32"
	"strconv"

	"github.com/handout-dev/handout/campaign"
)

// Every name in Redis that the ledger uses. The keys of one campaign share the
// hash tag {<campaign>}, so that a script may touch several in a cluster.
const (
	// keyCampaigns: sorted set, campaign IDs by the time of their creation.
	keyCampaigns = "handout:campaigns"
	// keyDueCampaigns: sorted set, each campaign that isn't done to the Unix
	// millisecond when it wants a look; and announcements, see due.go.
	keyDueCampaigns = "handout:due"
	// keyDueLease: string with an expiry, which worker looks.
	keyDueLease = "handout:due:lease"

	// keyRetention: sorted set, campaign to the Unix millisecond when its retention
	// may have passed. A name too many does no harm.
	keyRetention = "handout:retention"
)

// keyHeartbeat: string with an expiry, the Unix millisecond of a worker's last
// sweep, by which it notices that Redis was rolled back to an older state.
func keyHeartbeat(worker string) string { return "handout:beat:" + worker }

// keyMeta: hash, what the campaign is; fields in info.go.
func keyMeta(c campaign.ID) string { return "handout:{" + string(c) + "}:meta" }

// keyPage: string, up to PageSize recipients, compressed; immutable.
func keyPage(c campaign.ID, page int) string {
	return "handout:{" + string(c) + "}:page:" + strconv.Itoa(page)
}

// keyZones: string, of a campaign in pages by zone: for each page two bytes, the
// number of its zones in the meta field zones.
func keyZones(c campaign.ID) string { return "handout:{" + string(c) + "}:zones" }

// keyRecords: hash, index within the page to packed record.
func keyRecords(c campaign.ID, page int) string {
	return "handout:{" + string(c) + "}:rec:" + strconv.Itoa(page)
}

// keyPast: hash, "index.attempt" to the record of an earlier attempt. Most pages
// have none.
func keyPast(c campaign.ID, page int) string {
	return "handout:{" + string(c) + "}:past:" + strconv.Itoa(page)
}

// keyCounts: hash, recipients per counter.
func keyCounts(c campaign.ID) string { return "handout:{" + string(c) + "}:counts" }

// keySamples: sorted set with an expiry, the counts at moments of the past, see
// lua/sample.lua.
func keySamples(c campaign.ID) string { return "handout:{" + string(c) + "}:samples" }

// keyHistory: list, a JSON object for each thing that was done to the campaign.
func keyHistory(c campaign.ID) string { return "handout:{" + string(c) + "}:history" }

// keyProposed: string with an expiry, the spec of a campaign that waits for its
// list.
func keyProposed(c campaign.ID) string { return "handout:{" + string(c) + "}:proposed" }

// keyWatch: hash, the latest outcomes and doubts, by which a campaign is held, see
// lua/apply.lua.
func keyWatch(c campaign.ID) string { return "handout:{" + string(c) + "}:watch" }

// keyDue: sorted set, page to the Unix millisecond when settle must look at it.
func keyDue(c campaign.ID) string { return keyLine(c, Watched) }

// keyLine is that of a line's pages, see [Line].
func keyLine(c campaign.ID, l Line) string { return "handout:{" + string(c) + "}:" + lineNames[l] }

// keyLease: string with an expiry, who does the named work on the campaign.
func keyLease(c campaign.ID, work string) string { return "handout:{" + string(c) + "}:lease:" + work }

// keyReferences: hash, reference (16 packed bytes, or text) to
// position*16 + attempt, or to "position.attempt" from the 16th attempt on. It
// stands beside its campaign, not in one index for all, so that a record and
// its reference are written in one step; a bucket holds about refsPerBucket
// entries, so that Redis keeps it as a listpack.
func keyReferences(c campaign.ID, bucket int) string {
	return "handout:{" + string(c) + "}:ref:" + strconv.Itoa(bucket)
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

// keyKeys: hash, the callers' keys of one-off sends, see lua/append.lua.
func keyKeys(c campaign.ID) string { return "handout:{" + string(c) + "}:keys" }

// keyDay: string with an expiry, the standing campaign of a caller's key, by its
// digest.
func keyDay(key string) string { return "handout:day:" + hex.EncodeToString([]byte(key)) }

// referenceField returns the bucket of a reference, and its field there.
func referenceField(ref string, buckets int) (field string, bucket int) {
	field = ref
	if packed, ok := campaign.PackReference(ref); ok {
		field = string(packed[:])
	}
	return field, int(crc32.ChecksumIEEE([]byte(field)) % uint32(buckets))
}

// keyRates: hash, campaign ID to the rate that a person has set for it; field
// accountRate for the account.
const (
	keyRates    = "handout:rates"
	accountRate = "*"
)

// keyRateChanges: hash with an expiry, a token for each change of the campaign's
// rate under way. It stands in the slot of keyRates, see lua/rate.lua.
func keyRateChanges(c campaign.ID) string { return "{" + keyRates + "}:" + string(c) }
