package operations

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/vendorreport"
	"github.com/handout-dev/handout/telesign"
)

// ReportQuery is a report of Telesign's, and what it is to settle.
type ReportQuery struct {
	Rows []vendorreport.Row
	// Campaigns are those whose recipients a phone number may name; none: all that are
	// held since Redis was put back. References and external IDs name recipients of any.
	Campaigns []campaign.ID
	// Since and Until bound the messages that a phone number may name; zero: since the
	// copy that Redis was put back from, until now.
	Since, Until time.Time
}

// clockMargin is how far Telesign's clock may be from Redis's.
const clockMargin = time.Minute

// maxLines is how many lines of a kind are named.
const maxLines = 20

// ReportMatch is what a report says of recipients. Its JSON form is a contract. Rows are
// in exactly one of the counts up to Ambiguous.
type ReportMatch struct {
	Rows         int `json:"rows"`
	ByExternalID int `json:"by_external_id"`
	ByReference  int `json:"by_reference"`
	ByPhone      int `json:"by_phone"`
	NotSent      int `json:"not_sent"`  // by their status
	Foreign      int `json:"foreign"`   // another application's, or of another campaign of this name
	Unknown      int `json:"unknown"`   // of campaigns that aren't in this Redis, see UnknownCampaigns
	Outside      int `json:"outside"`   // of another time than what was lost
	Unmatched    int `json:"unmatched"` // no recipient was found
	Ambiguous    int `json:"ambiguous"` // several recipients, or several messages to one

	AmbiguousLines   []int                `json:"ambiguous_lines,omitempty"`   // the first
	UnknownCampaigns map[campaign.ID]int  `json:"unknown_campaigns,omitempty"` // rows by campaign
	UnknownWords     map[string]int       `json:"unknown_words,omitempty"`     // rows by status; taken as sent
	Since            time.Time            `json:"since"`
	Until            time.Time            `json:"until"`
	First            time.Time            `json:"first"` // the earliest row with a date
	Last             time.Time            `json:"last"`
	Campaigns        []*MatchedCampaign   `json:"campaigns"`
	moves            map[subject][]move   // by recipient, the earliest attempt first
	doubts           map[subject]struct{} // who is ambiguous, and open
}

// MatchedCampaign is what a report says of a campaign that is held since Redis was put
// back, or was named, or has recipients in the report.
type MatchedCampaign struct {
	ID         campaign.ID `json:"campaign"`
	Recipients int         `json:"recipients"` // whom the report settles
	WereOpen   int         `json:"were_open"`  // of these, those whom a resume would have sent to
	Ambiguous  int         `json:"ambiguous"`  // open, and perhaps in the report
	Open       int         `json:"open"`       // open, and not in the report: a resume sends to them
	InDoubt    int         `json:"in_doubt"`   // claimed or in doubt, and not in the report
	// Purged: who is in it can't be read, since it was purged after the copy was taken.
	Purged  bool `json:"purged,omitempty"`
	info    *campaign.Info
	byPhone bool
}

// subject is one recipient of one campaign.
type subject struct {
	campaign *MatchedCampaign
	place    campaign.Place
}

// move is a row of a recipient's.
type move struct {
	row     *vendorreport.Row
	attempt int
}

// ReadReport reads a report of Telesign's.
func (o *Operations) ReadReport(in io.Reader, c vendorreport.Columns) ([]vendorreport.Row, error) {
	return vendorreport.ReadAll(in, c, o.o.Region)
}

// MatchReport reads whom a report is about, and changes nothing. It reads the lists of all
// campaigns that aren't done.
// Errors: NotFound for a campaign that isn't there, Refused without a Since.
func (o *Operations) MatchReport(ctx context.Context, q ReportQuery) (*ReportMatch, error) {
	if err := everyones(ctx, "a report is of everyone's campaigns"); err != nil {
		return nil, err
	}
	recovery, err := o.Recovery(ctx)
	if err != nil {
		return nil, err
	}
	m := &matcher{o: o, match: &ReportMatch{Rows: len(q.Rows), Since: q.Since, Until: q.Until}, known: make(map[campaign.ID]*MatchedCampaign)}
	if m.match.Since.IsZero() && recovery.Restore != nil && !recovery.Restore.Before {
		m.match.Since = recovery.Restore.From
	}
	if m.match.Until.IsZero() {
		m.match.Until = now().UTC().Truncate(time.Second)
	}
	if err := m.choose(ctx, q.Campaigns, recovery); err != nil {
		return nil, err
	}
	if err := m.read(ctx, q.Rows); err != nil {
		return nil, err
	}
	if len(m.byPhone) > 0 && m.match.Since.IsZero() {
		return nil, refusef(Refused, "since", "since when are messages missing here? When the copy was taken isn't known")
	}
	return m.finish(ctx)
}

// SettleReport records what a report says, as receipts do, and returns how many recipients
// it has changed. With doubt it has those in doubt who are ambiguous and open; without, a
// report with ambiguous rows is Refused. It may be interrupted, and called again: what was
// recorded stays as it is. progress, if not nil, is called with the recipients done.
func (o *Operations) SettleReport(ctx context.Context, m *ReportMatch, doubt bool, by campaign.Actor, progress func(done, all int)) (changed int, err error) {
	if m.Ambiguous > 0 && !doubt {
		return 0, refusef(Refused, "", "%s: nothing was changed; name columns that decide, or campaigns, or have these recipients put in doubt, who then aren't sent to", campaign.Count(m.Ambiguous, "ambiguous row"))
	}
	err = o.traced(ctx, "settle by report", campaign.Count(len(m.moves), "recipient"), by, func() error {
		changed, err = o.settleReport(ctx, m, by, progress)
		return err
	})
	return changed, err
}

func (o *Operations) settleReport(ctx context.Context, m *ReportMatch, by campaign.Actor, progress func(done, all int)) (int, error) {
	work := slices.Concat(slices.Collect(maps.Keys(m.moves)), slices.Collect(maps.Keys(m.doubts)))
	var mu sync.Mutex
	changed, done := 0, 0
	group, settling := errgroup.WithContext(ctx)
	group.SetLimit(settleAtOnce)
	for _, s := range work {
		group.Go(func() error {
			moved, err := o.settleOne(settling, m, s)
			mu.Lock()
			defer mu.Unlock()
			if moved {
				changed++
			}
			if done++; progress != nil && err == nil {
				progress(done, len(work))
			}
			return err
		})
	}
	err := group.Wait()
	for _, c := range m.Campaigns {
		if c.Recipients+c.Ambiguous > 0 && err == nil {
			err = o.ledger.Note(ctx, c.ID, by, now(), "settled by report", campaign.Count(c.Recipients, "recipient")+" in it")
		}
	}
	return changed, err
}

// settleAtOnce is how many recipients are recorded at once, which share their calls.
const settleAtOnce = 64

func (o *Operations) settleOne(ctx context.Context, m *ReportMatch, s subject) (changed bool, err error) {
	if _, doubt := m.doubts[s]; doubt {
		return o.doubt(ctx, s)
	}
	for _, move := range m.moves[s] {
		moved, err := o.record(ctx, s, move)
		if err != nil {
			return changed, err
		}
		changed = changed || moved
	}
	return changed, nil
}

// event is what a row says, as a receipt.
func (m *move) event(c *campaign.Info) campaign.Event {
	at := now()
	return translate.Receipt(telesign.Receipt{
		Reference: m.row.Reference, Status: telesign.Status{Code: m.row.Code, LastChannel: m.row.Channel},
	}, m.attempt, at, at.Add(c.Spec.FallbackTotal()+receiptTime))
}

// receiptTime is how long after the last fallback a receipt may still come before
// Telesign is asked, in a worker's own time.
const receiptTime = time.Minute

// record applies a row as a receipt. A row that contradicts what stands changes nothing.
func (o *Operations) record(ctx context.Context, s subject, m move) (changed bool, err error) {
	seen, err := o.ledger.ReadRecord(ctx, s.campaign.info, s.place)
	if err != nil {
		return false, about(s.campaign.ID, err)
	}
	after, err := o.ledger.Apply(ctx, s.campaign.info, s.place, seen, m.event(s.campaign.info))
	var refused *campaign.TransitionError
	if errors.As(err, &refused) {
		return false, nil
	}
	return err == nil && after != seen, about(s.campaign.ID, err)
}

// doubt puts a recipient in doubt who may have been sent to and may not. If they were
// settled meanwhile, that stays.
func (o *Operations) doubt(ctx context.Context, s subject) (changed bool, err error) {
	seen, err := o.ledger.ReadRecord(ctx, s.campaign.info, s.place)
	if err != nil || !open(seen.Record.State) {
		return false, about(s.campaign.ID, err)
	}
	at := now()
	after, err := o.ledger.Apply(ctx, s.campaign.info, s.place, seen, campaign.Event{
		Kind: campaign.EventDoubt, At: at, Attempt: seen.Record.Attempt + 1, Reason: campaign.ReasonLostClaim, DueAt: at.Add(s.campaign.info.Spec.FallbackTotal() + receiptTime),
	})
	return err == nil && after != seen, about(s.campaign.ID, err)
}

// open reports whether a resume sends to a recipient in this state.
func open(s campaign.State) bool { return s == campaign.Planned || s == campaign.Retrying }
