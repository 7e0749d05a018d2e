package campaign

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ID names a campaign: 1 to 48 characters, [a-z0-9] first, then [a-z0-9_-].
// The caller chooses it, and it is the idempotency key of the campaign.
type ID string

// MaxIDLength is the longest campaign ID, so that an external ID stays well
// under Telesign's 100 characters.
const MaxIDLength = 48

// ErrBadID means that a text isn't a campaign ID.
var ErrBadID = errors.New("a campaign ID is 1 to 48 characters of a-z, 0-9, _ and -, and begins with a letter or digit")

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,47}$`)

// ParseID checks that s is a campaign ID.
func ParseID(s string) (ID, error) {
	if !idForm.MatchString(s) {
		return "", ErrBadID
	}
	return ID(s), nil
}

// PageSize is the number of recipients in a full page. A page's records share
// one Redis hash, which stays a listpack only up to 128 fields.
const PageSize = 100

// Place says where a recipient stands in its campaign's list: the page, counted
// from 0, and the index within the page, 0 to PageSize-1.
type Place struct {
	Page, Index int
}

// Position is the recipient's number in the list, counted from 0.
func (p Place) Position() int { return p.Page*PageSize + p.Index }

// String is a place as people write it: the page, a point, and the index.
func (p Place) String() string { return strconv.Itoa(p.Page) + "." + strconv.Itoa(p.Index) }

// ParsePlace reads what [Place.String] writes, and nothing else.
func ParsePlace(s string) (Place, bool) {
	page, index, ok := strings.Cut(s, ".")
	p, ok1 := ParseNumber(page)
	i, ok2 := ParseNumber(index)
	at := Place{Page: p, Index: i}
	return at, ok && ok1 && ok2 && i < PageSize && at.String() == s
}

// PlaceOf is the place of the recipient with this number, counted from 0.
func PlaceOf(position int) Place {
	return Place{Page: position / PageSize, Index: position % PageSize}
}

// ErrBadExternalID means that a text isn't an external ID of ours.
var ErrBadExternalID = errors.New("not an external ID of handout")

// ExternalID is what we give Telesign with each attempt and what its receipts
// bring back: <campaign>.<page>.<index>.<attempt>. It is unique to the attempt,
// plain ASCII, at most 75 characters, and finds the record without a look-up.
func ExternalID(c ID, p Place, attempt int) string {
	return string(c) + "." + p.String() + "." + strconv.Itoa(attempt)
}

// ParseExternalID takes an external ID apart. Only the exact form that
// [ExternalID] writes is accepted; anything else is [ErrBadExternalID].
func ParseExternalID(s string) (ID, Place, int, error) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return "", Place{}, 0, ErrBadExternalID
	}
	c, err := ParseID(parts[0])
	if err != nil {
		return "", Place{}, 0, fmt.Errorf("%w: %w", ErrBadExternalID, err)
	}
	place, ok := ParsePlace(parts[1] + "." + parts[2])
	attempt, ok2 := ParseNumber(parts[3])
	if !ok || !ok2 || attempt < 1 {
		return "", Place{}, 0, ErrBadExternalID
	}
	return c, place, attempt, nil
}

// ParseNumber reads up to nine digits without sign or leading zero.
func ParseNumber(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && len(s) <= 9 && strconv.Itoa(n) == s
}
