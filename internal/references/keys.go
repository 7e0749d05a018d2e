package references

import "strconv"

// keys is the installation's prefix, with which every key begins, see
// [redisx.Prefix].
type keys string

// bucket: string with an expiry, entries of entrySize bytes. All stand in one slot
// of a cluster: one script adds to many.
func (k keys) bucket(period int64, bucket uint64) string {
	return string(k) + ":{" + string(k) + ":ref}:" + strconv.FormatInt(period, 10) + ":" + strconv.FormatUint(bucket, 10)
}

// early: list with an expiry, receipts for a reference that isn't known yet.
func (k keys) early(reference string) string { return string(k) + ":early:" + reference }

// earlyDue: sorted set, references with early receipts to the Unix
// microsecond of the next look.
func (k keys) earlyDue() string { return string(k) + ":early" }
