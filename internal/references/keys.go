package references

import "strconv"

// keyBucket: string with an expiry, entries of entrySize bytes. All stand in one slot
// of a cluster: one script adds to many.
func keyBucket(period int64, bucket uint64) string {
	return "{handout:ref}:" + strconv.FormatInt(period, 10) + ":" + strconv.FormatUint(bucket, 10)
}

// keyEarly: list with an expiry, receipts for a reference that isn't known yet.
func keyEarly(reference string) string { return "handout:early:" + reference }

// keyEarlyDue: sorted set, references with early receipts to the Unix
// microsecond of the next look.
const keyEarlyDue = "handout:early"
