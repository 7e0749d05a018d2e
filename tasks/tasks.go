package tasks

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
)

// The types of tasks.
const (
	TypeSend = "sendfile:send" // send to one recipient
	TypePoll = "receipt:poll"  // ask for a receipt that hasn't come
	// TypeDeliver tells an endpoint what became of a campaign.
	TypeDeliver = "webhook:deliver"
	TypeTick    = "schedule:tick" // do what a schedule has for one of its ticks
)

// The queues. In Redis the installation's prefix stands before each name, see package
// queue.
const (
	QueueUrgent = "urgent" // sends of the urgent lane
	QueueBulk   = "bulk"   // sends of the bulk lane
	QueuePolls  = "polls"  // status queries
	// QueueWebhooks has the deliveries, which wait for other people's servers.
	QueueWebhooks = "webhooks"
	QueueSchedule = "schedule" // ticks
)

// QueueOf is the queue of a lane's sends.
func QueueOf(lane campaign.Lane) string {
	if lane == campaign.LaneUrgent {
		return QueueUrgent
	}
	return QueueBulk
}

// OfAccount is an account's queue of this kind: the default account's has no name of its
// own. Each account has queues for itself, since tasks that wait for one would keep those
// behind them from another.
func OfAccount(queue, account string) string {
	if account == campaign.DefaultAccount {
		return queue
	}
	return queue + ":" + account
}

// version is that of the payloads written here.
const version = 1

// ErrUnreadable means that a payload isn't one of ours. One of a newer program is a
// [campaign.ErrNewer].
var ErrUnreadable = errors.New("unreadable task")

// Unread returns what a handler returns to asynq for a payload that couldn't be parsed:
// junk is archived, the one thing that may be; what a newer program has written goes
// back to the queue, for a worker that can read it.
func Unread(err error) error {
	if errors.Is(err, campaign.ErrNewer) {
		return err
	}
	return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
}

// Send is the task to send to one recipient, or to several who stand side by
// side in a page.
type Send struct {
	Campaign campaign.ID
	// Salt is the campaign's, see [campaign.Info.Salt]: one of this ID with
	// another salt has another list.
	Salt string
	campaign.Place
	Count int // how many, from Place on; at least 1
}

// Poll is the task to ask for one recipient's receipt.
type Poll struct {
	Campaign campaign.ID
	campaign.Place
}

type payload struct {
	V        int    `json:"v"`
	Campaign string `json:"campaign"`
	Salt     string `json:"salt,omitempty"`
	Page     *int   `json:"page,omitempty"`
	Index    *int   `json:"index,omitempty"`
	Count    *int   `json:"count,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
}

// sendTimeout is far over any wait for the limiter, the request and the record
// together: when it passes, asynq runs the task again beside the old run.
const sendTimeout = 30 * time.Minute

// sendRetries is how often asynq runs a task again whose handler couldn't reach
// the ledger. Outcomes, failures too, are recorded and leave no task behind.
const sendRetries = 1000

// NewSend is the task to make this attempt at a recipient. Its ID is that of the
// attempt, so that enqueuing it twice is harmless.
func NewSend(a campaign.Attempt) *asynq.Task {
	return newSend(a, 1, a.ExternalID(), nil)
}

// NewSends is the task to make the first attempt at count recipients of a page,
// from first on, with these headers of asynq's. At high rates it spares Redis most of the
// queue's own work.
func NewSends(first campaign.Attempt, count int, headers map[string]string) *asynq.Task {
	id := first.ExternalID()
	if count > 1 {
		id += "+" + strconv.Itoa(count-1)
	}
	return newSend(first, count, id, headers)
}

func newSend(a campaign.Attempt, count int, id string, headers map[string]string) *asynq.Task {
	return asynq.NewTaskWithHeaders(TypeSend, placePayload(a, count), headers,
		asynq.TaskID(id),
		asynq.MaxRetry(sendRetries),
		asynq.Timeout(sendTimeout),
	)
}

func placePayload(a campaign.Attempt, count int) []byte {
	b := make([]byte, 0, 96+len(a.Campaign))
	b = append(b, `{"v":1,"campaign":"`...)
	b = append(b, a.Campaign...) // neither ID nor salt needs escaping
	b = append(b, `","salt":"`...)
	b = append(b, a.Salt...)
	b = append(b, `","page":`...)
	b = strconv.AppendInt(b, int64(a.Place.Page), 10)
	b = append(b, `,"index":`...)
	b = strconv.AppendInt(b, int64(a.Place.Index), 10)
	if count > 1 {
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, int64(count), 10)
	}
	return append(b, '}')
}

// maxPage is past every list, and small enough to count with: an external ID
// has room for nine digits.
const maxPage = 999_999_999

// ParseSend reads the payload of a send; ErrUnreadable.
func ParseSend(b []byte) (Send, error) {
	p, c, err := parse(b)
	if err != nil {
		return Send{}, err
	}
	if p.Page == nil || p.Index == nil || *p.Page < 0 || *p.Page > maxPage || *p.Index < 0 || *p.Index >= campaign.PageSize {
		return Send{}, fmt.Errorf("%w: no such place", ErrUnreadable)
	}
	count := 1
	if p.Count != nil {
		count = *p.Count
	}
	if count < 1 || count > campaign.PageSize-*p.Index {
		return Send{}, fmt.Errorf("%w: no such place", ErrUnreadable)
	}
	return Send{Campaign: c, Salt: p.Salt, Place: campaign.Place{Page: *p.Page, Index: *p.Index}, Count: count}, nil
}

// NewPoll is the task to ask what became of this attempt at a recipient.
func NewPoll(a campaign.Attempt) *asynq.Task {
	return asynq.NewTask(TypePoll, placePayload(a, 1),
		asynq.TaskID(PollID(a)),
		asynq.MaxRetry(sendRetries),
		asynq.Timeout(pollTimeout),
	)
}

// PollID is the ID of a poll's task.
func PollID(a campaign.Attempt) string { return "poll." + a.ExternalID() }

// pollTimeout is far over any wait for the limiter and the answer together.
const pollTimeout = 30 * time.Minute

// ParsePoll reads the payload of a poll; ErrUnreadable.
func ParsePoll(b []byte) (Poll, error) {
	s, err := ParseSend(b)
	return Poll{Campaign: s.Campaign, Place: s.Place}, err
}

func parse(b []byte) (payload, campaign.ID, error) {
	var p payload
	if err := decode(b, &p, &p.V); err != nil {
		return p, "", err
	}
	c, err := campaign.ParseID(p.Campaign)
	if err != nil {
		return p, "", fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return p, c, nil
}

// decode reads a payload. One of a later version, or with a field that isn't known, is a
// [campaign.ErrNewer].
func decode(b []byte, p any, v *int) error {
	err := campaign.DecodeStrict(b, p)
	if *v > version {
		err = fmt.Errorf("version %d: %w", *v, campaign.ErrNewer)
	}
	switch {
	case errors.Is(err, campaign.ErrNewer):
		return fmt.Errorf("read a task: %w", err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	case *v != version:
		return fmt.Errorf("%w: version %d", ErrUnreadable, *v)
	}
	return nil
}
