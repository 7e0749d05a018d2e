package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/secret"
)

// The kinds of events that an endpoint may subscribe to.
const (
	EventCampaign   = "campaign"   // a campaign's state has changed
	EventRecipients = "recipients" // recipients have their outcome, or another one
)

// Endpoint is another app's URL that receives events of campaigns.
type Endpoint struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Events []string `json:"events"` // EventCampaign, EventRecipients
	// Prefix begins the IDs of the campaigns whose events it receives.
	Prefix string `json:"prefix,omitempty"`
	Phones bool   `json:"phones,omitempty"` // events show phone numbers
	// Secret signs its deliveries.
	Secret secret.Text `json:"secret"`
	// Before is the secret before the latest rotation, which signs, too, until Overlap.
	Before    secret.Text `json:"before"`
	Overlap   time.Time   `json:"overlap,omitzero"`
	CreatedAt time.Time   `json:"created_at"`
	// GoneAt is when it answered 410: no more deliveries.
	GoneAt time.Time `json:"gone_at,omitzero"`
	// Since is the generation in which it was added.
	Since int64 `json:"since"`
}

// encode returns the stored form, with the secret sealed if there is a master key, else
// as it is.
func (l *Store) encode(ctx context.Context, e *Endpoint) ([]byte, error) {
	stored, err := l.seals.Text(ctx, secretOf(e.ID), e.Secret.Reveal())
	before := ""
	if err == nil && !e.Overlap.IsZero() {
		before, err = l.seals.Text(ctx, secretOf(e.ID), e.Before.Reveal())
	}
	if err != nil {
		return nil, err
	}
	type fields Endpoint
	return json.Marshal(struct {
		fields
		Secret string `json:"secret"` // in place of those that aren't shown
		Before string `json:"before,omitempty"`
	}{fields(*e), stored, before})
}

// decode reads the stored form. An endpoint whose secret can't be opened is an error:
// nothing may be signed by what is stored.
func (l *Store) decode(id, text string) (e Endpoint, err error) {
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return e, errors.New("not a webhook") // without the cause, which shows some of its text
	}
	for _, s := range []*secret.Text{&e.Secret, &e.Before} {
		opened, err := l.seals.OpenText(secretOf(id), s.Reveal())
		if err != nil {
			return e, err
		}
		*s = secret.New(opened)
	}
	return e, nil
}

// Secrets are those that sign a delivery of now, the latest first.
func (e *Endpoint) Secrets(now time.Time) []secret.Text {
	if now.Before(e.Overlap) {
		return []secret.Text{e.Secret, e.Before}
	}
	return []secret.Text{e.Secret}
}

func secretOf(id string) string { return "the secret of webhook " + id }

// Subscribes reports whether the endpoint receives events of this kind of a
// campaign.
func (e *Endpoint) Subscribes(c campaign.ID, kind string) bool {
	return e.GoneAt.IsZero() && strings.HasPrefix(string(c), e.Prefix) && slices.Contains(e.Events, kind)
}

// Endpoints are all of them, by ID, at one moment.
type Endpoints struct {
	All []Endpoint
	// generation grows with each change; passed is the one that all campaigns have.
	generation, passed int64
}

// MaxEndpoints is how many endpoints there may be.
const MaxEndpoints = 10

// Errors that callers tell apart.
var (
	// ErrTooMany means that there are [MaxEndpoints].
	ErrTooMany = fmt.Errorf("there are %d webhooks, and there can't be more", MaxEndpoints)
	// ErrNotFound means that there is no endpoint with this ID.
	ErrNotFound = errors.New("there is no webhook with this ID")
)

// Fields of the endpoints' hash that are no endpoint.
const (
	fieldGeneration = "*"
	fieldPassed     = "*passed"
)

// Subscribers returns the endpoints that receive any events of a campaign.
func (e *Endpoints) Subscribers(c campaign.ID) []Endpoint {
	return slices.DeleteFunc(slices.Clone(e.All), func(e Endpoint) bool {
		return !e.Subscribes(c, EventCampaign) && !e.Subscribes(c, EventRecipients)
	})
}

// Find returns the endpoint with this ID, or nil.
func (e *Endpoints) Find(id string) *Endpoint {
	for i := range e.All {
		if e.All[i].ID == id {
			return &e.All[i]
		}
	}
	return nil
}

// field returns what the field outbox of a campaign's meta must be, see lua/arm.lua.
func (e *Endpoints) field(c campaign.ID) string {
	s := strconv.FormatInt(e.generation, 10)
	for kind, letter := range map[string]string{EventCampaign: "c", EventRecipients: "r"} {
		if slices.ContainsFunc(e.All, func(e Endpoint) bool { return e.Subscribes(c, kind) }) {
			s += letter
		}
	}
	return s
}

// Endpoints reads all endpoints.
func (l *Store) Endpoints(ctx context.Context) (*Endpoints, error) {
	fields, err := l.rdb.HGetAll(ctx, l.keys.endpoints()).Result()
	if err != nil {
		return nil, fmt.Errorf("read the webhooks: %w", err)
	}
	all := &Endpoints{generation: number(fields[fieldGeneration]), passed: number(fields[fieldPassed])}
	for id, text := range fields {
		if strings.HasPrefix(id, fieldGeneration) {
			continue
		}
		e, err := l.decode(id, text)
		if err != nil {
			return nil, fmt.Errorf("read webhook %s: %w", id, err)
		}
		all.All = append(all.All, e)
	}
	slices.SortFunc(all.All, func(a, b Endpoint) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// Add adds an endpoint, which receives the events from here on.
// Errors: [ErrTooMany].
func (l *Store) Add(ctx context.Context, e Endpoint) error {
	return l.change(ctx, e.ID, func(all *Endpoints) (*Endpoint, error) {
		if len(all.All) >= MaxEndpoints {
			return nil, ErrTooMany
		}
		e.Since = all.generation + 1
		return &e, nil
	})
}

// Remove removes an endpoint. Errors: [ErrNotFound].
func (l *Store) Remove(ctx context.Context, id string) error {
	err := l.change(ctx, id, func(all *Endpoints) (*Endpoint, error) {
		if all.Find(id) == nil {
			return nil, fmt.Errorf("webhook %s: %w", id, ErrNotFound)
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	err = errors.Join(l.rdb.HDel(ctx, l.keys.failing(), id).Err(), l.rdb.HDel(ctx, l.keys.discarded(), id).Err(), l.rdb.Unlink(ctx, l.keys.deliveries(id)).Err())
	if err != nil {
		return fmt.Errorf("remove webhook %s: %w", id, err)
	}
	return nil
}

// Rotate gives an endpoint another secret; the one before signs, too, until overlap has
// passed. One that had an overlap still has signed for the last time.
// Errors: [ErrNotFound].
func (l *Store) Rotate(ctx context.Context, id string, to secret.Text, overlap time.Duration, now time.Time) error {
	return l.change(ctx, id, func(all *Endpoints) (*Endpoint, error) {
		e := all.Find(id)
		if e == nil {
			return nil, fmt.Errorf("webhook %s: %w", id, ErrNotFound)
		}
		if e.Secret.Reveal() == to.Reveal() {
			return e, nil // written, and the answer was lost
		}
		before := e.Secret
		e.Secret, e.Before, e.Overlap = to, secret.Text{}, time.Time{}
		if overlap > 0 {
			e.Before, e.Overlap = before, now.Add(overlap).UTC()
		}
		return e, nil
	})
}

// Disable ends the deliveries to an endpoint and keeps its log.
// Errors: [ErrNotFound].
func (l *Store) Disable(ctx context.Context, id string, now time.Time) error {
	return l.change(ctx, id, func(all *Endpoints) (*Endpoint, error) {
		e := all.Find(id)
		if e == nil {
			return nil, fmt.Errorf("webhook %s: %w", id, ErrNotFound)
		}
		e.GoneAt = now.UTC().Truncate(time.Second)
		return e, nil
	})
}

// Rewrap seals the secrets of all endpoints by the installation's master key of now.
func (l *Store) Rewrap(ctx context.Context) error {
	all, err := l.Endpoints(ctx)
	if err != nil {
		return err
	}
	for _, e := range all.All {
		if err := l.change(ctx, e.ID, func(all *Endpoints) (*Endpoint, error) { return all.Find(e.ID), nil }); err != nil {
			return err
		}
	}
	return nil
}

// change writes what change returns for an endpoint; nil deletes it.
func (l *Store) change(ctx context.Context, id string, change func(*Endpoints) (*Endpoint, error)) error {
	for {
		all, err := l.Endpoints(ctx)
		if err != nil {
			return err
		}
		e, err := change(all)
		if err != nil {
			return err
		}
		text := []byte{}
		if e != nil {
			if text, err = l.encode(ctx, e); err != nil {
				return fmt.Errorf("write webhook %s: %w", id, err)
			}
		}
		n, err := endpointScript.Run(ctx, l.rdb, []string{l.keys.endpoints()}, all.generation, id, text).Int()
		if err != nil {
			return fmt.Errorf("write webhook %s: %w", id, err)
		}
		if n == 1 {
			break
		}
	}
	all, err := l.Endpoints(ctx)
	if err != nil {
		return err
	}
	// passed stays as it is: a worker arms all campaigns again, with those that were
	// created meanwhile.
	return l.arm(ctx, all)
}

// ArmAll has all campaigns record the events for these endpoints, unless they do.
func (l *Store) ArmAll(ctx context.Context, all *Endpoints) error {
	if all.passed >= all.generation {
		return nil
	}
	if err := l.arm(ctx, all); err != nil {
		return err
	}
	if err := l.rdb.HSet(ctx, l.keys.endpoints(), fieldPassed, all.generation).Err(); err != nil {
		return fmt.Errorf("write the webhooks: %w", err)
	}
	return nil
}

func (l *Store) arm(ctx context.Context, all *Endpoints) error {
	ids, err := l.campaigns(ctx)
	if err != nil {
		return err
	}
	for _, c := range ids {
		args := []any{all.generation, all.field(c)}
		for _, e := range all.Subscribers(c) {
			args = append(args, e.ID, e.Since)
		}
		if err := armScript.Run(ctx, l.rdb, []string{l.meta(c), l.keys.progress(c), l.keys.outbox(c)}, args...).Err(); err != nil {
			return fmt.Errorf("arm campaign %s for the webhooks: %w", c, err)
		}
	}
	return nil
}

// Fields returns the fields of meta that a new campaign needs for its endpoints: none
// without any. An endpoint that is added after this arms the campaign itself.
func (l *Store) Fields(ctx context.Context, c campaign.ID) ([]any, error) {
	all, err := l.Endpoints(ctx)
	if err != nil || len(all.Subscribers(c)) == 0 {
		return nil, err
	}
	return []any{fieldOutbox, all.field(c)}, nil
}

// Lease takes or renews the right to scan the outboxes for a time d, or gives it back
// with a d of 0; false if another process has it.
func (l *Store) Lease(ctx context.Context, token string, d time.Duration) (bool, error) {
	mine, err := redisx.Lease(ctx, l.rdb, l.keys.endpointsLease(), token, d)
	if err != nil {
		return false, fmt.Errorf("lease the scan of the outboxes: %w", err)
	}
	return mine, nil
}

// CountFailing returns how many endpoints are failing.
func (l *Store) CountFailing(ctx context.Context) (int, error) {
	n, err := l.rdb.HLen(ctx, l.keys.failing()).Result()
	if err != nil {
		return 0, fmt.Errorf("count failing webhooks: %w", err)
	}
	return int(n), nil
}
