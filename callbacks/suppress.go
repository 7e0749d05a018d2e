package callbacks

import (
	"context"
	"errors"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

const (
	// originalTimeout bounds the search for the campaign that a STOP answers. The
	// STOP is recorded without it, too.
	originalTimeout = time.Second
	// repeatTime is more than Telesign takes for its four attempts at a callback.
	repeatTime = 2 * time.Minute
)

// reply acts on a recipient's own message: STOP puts the number on the suppression
// list, START takes it off.
func (l *Listener) reply(ctx context.Context, r telesign.Receipt) (string, error) {
	if r.Reply.Action != "STOP" && r.Reply.Action != "START" {
		return resultInbound, nil
	}
	phone := "+" + r.Reply.Phone
	if !suppression.IsPhone(phone) {
		l.log.Error("a recipient's message can't be acted on: it has no usable phone number", "action", r.Reply.Action)
		return resultInbound, nil
	}
	if r.Reply.Action == "STOP" {
		_, err := l.suppressions.Add(ctx, phone, suppression.Entry{
			At: time.Now(), Why: suppression.WhyStop, Campaign: l.answered(ctx, r.Reply.OriginalReference),
		})
		return resultStop, err
	}
	entry, listed, err := l.suppressions.Find(ctx, phone)
	if err != nil || !listed || repeated(r.Status.At, entry.At, time.Now()) {
		return resultStart, err
	}
	_, err = l.suppressions.Remove(ctx, phone)
	return resultStart, err
}

// repeated reports whether a START that arrives now was written before the number
// was listed: its first callback failed, and the STOP overtook the second.
// Telesign's timestamps are trusted no further than that: one that is missing, or
// too old for a repeated callback, says nothing.
func repeated(written, listed, now time.Time) bool {
	return written.Before(listed) && now.Sub(written) < repeatTime
}

// answered returns the campaign of the message that a recipient answers; empty if
// it isn't found in time.
func (l *Listener) answered(ctx context.Context, reference string) campaign.ID {
	if reference == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, originalTimeout)
	defer cancel()
	to, err := l.findReference(ctx, reference)
	if err != nil {
		return ""
	}
	return to.info.ID
}

// optOut puts a receipt's recipient on the suppression list if the receipt says that
// they have opted out.
func (l *Listener) optOut(ctx context.Context, to addressee, r telesign.Receipt) error {
	why, ok := suppression.WhyReceipt(r)
	if !ok {
		return nil
	}
	page, err := l.ledger.Recipients(ctx, to.info.ID, to.place.Page)
	if errors.Is(err, ledger.ErrNotFound) || (err == nil && to.place.Index >= len(page)) {
		return nil // purged, and the number with it
	}
	if err != nil {
		return err
	}
	_, err = l.suppressions.Add(ctx, page[to.place.Index].Phone, suppression.Entry{At: time.Now(), Why: why, Campaign: to.info.ID})
	return err
}
