package ledger

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
)

// EndpointSecret signs what an endpoint is told. No log, table or error shows it.
type EndpointSecret string

// String hides it.
func (EndpointSecret) String() string { return "(not shown)" }

// GoString hides it.
func (EndpointSecret) GoString() string { return "(not shown)" }

// The sorts of events that an endpoint may be told.
const (
	TellCampaigns  = "campaign"   // a campaign's state has changed
	TellRecipients = "recipients" // recipients have their outcome, or another one
)

// Endpoint is another app's URL that is told what becomes of campaigns.
type Endpoint struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Events []string `json:"events"` // TellCampaigns, TellRecipients
	// Prefix begins the IDs of the campaigns that it is told of.
	Prefix    string         `json:"prefix,omitempty"`
	Phones    bool           `json:"phones,omitempty"` // it is told phone numbers
	Secret    EndpointSecret `json:"secret"`
	CreatedAt time.Time      `json:"created_at"`
	// GoneAt is when it said that it wants to be told nothing any more.
	GoneAt time.Time `json:"gone_at,omitzero"`
	// Since is the generation in which it was added.
	Since int64 `json:"since"`
}

// Told says whether it is told events of a sort, of a campaign.
func (e *Endpoint) Told(c campaign.ID, sort string) bool {
	return e.GoneAt.IsZero() && strings.HasPrefix(string(c), e.Prefix) && slices.Contains(e.Events, sort)
}

// Endpoints are all of them, by ID, at one moment.
type Endpoints struct {
	All []Endpoint
	// generation grows with each change; passed is that of which all campaigns know.
	generation, passed int64
}

// MostEndpoints is how many there may be.
const MostEndpoints = 10

// Errors that callers tell apart.
var (
	// ErrTooManyEndpoints means that there are [MostEndpoints].
	ErrTooManyEndpoints = fmt.Errorf("there are %d webhooks, and there can't be more", MostEndpoints)
	// ErrNoEndpoint means that there is no endpoint with this ID.
	ErrNoEndpoint = errors.New("there is no webhook with this ID")
)

// Fields of the endpoints' hash that are no endpoint.
const (
	fieldGeneration = "*"
	fieldPassed     = "*passed"
)

// Of is who is told anything of a campaign.
func (e *Endpoints) Of(c campaign.ID) []Endpoint {
	return slices.DeleteFunc(slices.Clone(e.All), func(e Endpoint) bool {
		return !e.Told(c, TellCampaigns) && !e.Told(c, TellRecipients)
	})
}

// Find finds an endpoint by its ID; nil if there is none.
func (e *Endpoints) Find(id string) *Endpoint {
	for i := range e.All {
		if e.All[i].ID == id {
			return &e.All[i]
		}
	}
	return nil
}

// field is what a campaign's meta says of who is told: see lua/arm.lua.
func (e *Endpoints) field(c campaign.ID) string {
	s := strconv.FormatInt(e.generation, 10)
	for sort, letter := range map[string]string{TellCampaigns: "c", TellRecipients: "r"} {
		if slices.ContainsFunc(e.All, func(e Endpoint) bool { return e.Told(c, sort) }) {
			s += letter
		}
	}
	return s
}

// Endpoints reads all of them.
func (l *Store) Endpoints(ctx context.Context) (*Endpoints, error) {
	fields, err := l.rdb.HGetAll(ctx, keyEndpoints).Result()
	if err != nil {
		return nil, fmt.Errorf("read the webhooks: %w", err)
	}
	all := &Endpoints{generation: outboxNumber(fields[fieldGeneration]), passed: outboxNumber(fields[fieldPassed])}
	for id, text := range fields {
		if strings.HasPrefix(id, fieldGeneration) {
			continue
		}
		var e Endpoint
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, fmt.Errorf("read webhook %s: not a webhook", id) // the cause would show of its text
		}
		all.All = append(all.All, e)
	}
	slices.SortFunc(all.All, func(a, b Endpoint) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// AddEndpoint adds one: what happens from here on, it is told.
// Errors: [ErrTooManyEndpoints].
func (l *Store) AddEndpoint(ctx context.Context, e Endpoint) error {
	return l.changeEndpoint(ctx, e.ID, func(all *Endpoints) (*Endpoint, error) {
		if len(all.All) >= MostEndpoints {
			return nil, ErrTooManyEndpoints
		}
		e.Since = all.generation + 1
		return &e, nil
	})
}

// RemoveEndpoint ends one. Errors: [ErrNoEndpoint].
func (l *Store) RemoveEndpoint(ctx context.Context, id string) error {
	err := l.changeEndpoint(ctx, id, func(all *Endpoints) (*Endpoint, error) {
		if all.Find(id) == nil {
			return nil, fmt.Errorf("webhook %s: %w", id, ErrNoEndpoint)
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	if err := l.rdb.HDel(ctx, KeyWebhookFailing, id).Err(); err != nil {
		return fmt.Errorf("remove webhook %s: %w", id, err)
	}
	if err := l.rdb.HDel(ctx, keyWebhookDropped, id).Err(); err != nil {
		return fmt.Errorf("remove webhook %s: %w", id, err)
	}
	if err := l.rdb.Unlink(ctx, KeyWebhookLog(id)).Err(); err != nil {
		return fmt.Errorf("remove webhook %s: %w", id, err)
	}
	return nil
}

// DisableEndpoint notes that an endpoint wants to be told nothing any more.
// Errors: [ErrNoEndpoint].
func (l *Store) DisableEndpoint(ctx context.Context, id string, now time.Time) error {
	return l.changeEndpoint(ctx, id, func(all *Endpoints) (*Endpoint, error) {
		e := all.Find(id)
		if e == nil {
			return nil, fmt.Errorf("webhook %s: %w", id, ErrNoEndpoint)
		}
		e.GoneAt = now.UTC().Truncate(time.Second)
		return e, nil
	})
}

// changeEndpoint writes what change makes of an endpoint; nil deletes it.
func (l *Store) changeEndpoint(ctx context.Context, id string, change func(*Endpoints) (*Endpoint, error)) error {
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
			if text, err = json.Marshal(e); err != nil {
				return fmt.Errorf("write webhook %s: %w", id, err)
			}
		}
		n, err := endpointScript.Run(ctx, l.rdb, []string{keyEndpoints}, all.generation, id, text).Int()
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
	// That the campaigns know isn't noted: a worker tells them again, and with
	// them those that came into being meanwhile.
	return l.arm(ctx, all)
}

// ArmAll has all campaigns note what the endpoints of now are to be told, if some
// don't know of them.
func (l *Store) ArmAll(ctx context.Context, all *Endpoints) error {
	if all.passed >= all.generation {
		return nil
	}
	if err := l.arm(ctx, all); err != nil {
		return err
	}
	if err := l.rdb.HSet(ctx, keyEndpoints, fieldPassed, all.generation).Err(); err != nil {
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
		for _, e := range all.Of(c) {
			args = append(args, e.ID, e.Since)
		}
		if err := armScript.Run(ctx, l.rdb, []string{l.meta(c), keyTold(c), keyOutbox(c)}, args...).Err(); err != nil {
			return fmt.Errorf("tell campaign %s of the webhooks: %w", c, err)
		}
	}
	return nil
}

// Fields are the fields of meta with which a campaign comes into being: none
// when no endpoint is told of it. An endpoint that is added after they were read
// finds the campaign's name.
func (l *Store) Fields(ctx context.Context, c campaign.ID) ([]any, error) {
	all, err := l.Endpoints(ctx)
	if err != nil || len(all.Of(c)) == 0 {
		return nil, err
	}
	return []any{fieldOutbox, all.field(c)}, nil
}

// LeaseOutboxes takes or keeps, for as long as d, the look at what is to be told,
// or gives it back with a d of 0; false when someone else has it.
func (l *Store) LeaseOutboxes(ctx context.Context, token string, d time.Duration) (bool, error) {
	mine, err := redisx.Lease(ctx, l.rdb, keyEndpointsLease, token, d)
	if err != nil {
		return false, fmt.Errorf("lease the look at what is to be told: %w", err)
	}
	return mine, nil
}

// EndpointsFailing is how many take nothing any more.
func (l *Store) EndpointsFailing(ctx context.Context) (int, error) {
	n, err := l.rdb.HLen(ctx, KeyWebhookFailing).Result()
	if err != nil {
		return 0, fmt.Errorf("count failing webhooks: %w", err)
	}
	return int(n), nil
}
