package tasks

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
)

// Tick is the task that a schedule's tick is due.
type Tick struct {
	Schedule string
	Period   string // the tick's time, as in 2026-11-23T02:00Z
}

type tickPayload struct {
	V        int    `json:"v"`
	Schedule string `json:"schedule"`
	Period   string `json:"period"`
}

// tickTimeout is over the longest run that a schedule may have, a day.
const tickTimeout = 25 * time.Hour

// TickID is the ID of a tick's task: the period's key, as in
// nightly:2026-11-23T02:00Z, and behind it the attempt from the second one on.
// The task of an attempt whose process was killed may stand in the queue still.
func TickID(schedule, period string, attempt int) string {
	id := schedule + ":" + period
	if attempt > 1 {
		id += "#" + strconv.Itoa(attempt)
	}
	return id
}

// NewTick is the task to do what a schedule has for this period.
func NewTick(schedule, period string, attempt int) (*asynq.Task, error) {
	b, err := json.Marshal(tickPayload{version, schedule, period})
	if err != nil {
		return nil, fmt.Errorf("write a tick's task: %w", err)
	}
	return asynq.NewTask(TypeTick, b,
		asynq.TaskID(TickID(schedule, period, attempt)),
		asynq.MaxRetry(0), // the next look at the schedule is the retry
		asynq.Timeout(tickTimeout),
	), nil
}

// ParseTick reads the payload of a tick; ErrUnreadable.
func ParseTick(b []byte) (Tick, error) {
	var p tickPayload
	if err := decode(b, &p, &p.V); err != nil {
		return Tick{}, err
	}
	if _, err := campaign.ParseID(p.Schedule); err != nil || p.Period == "" {
		return Tick{}, fmt.Errorf("%w: no such tick", ErrUnreadable)
	}
	return Tick{Schedule: p.Schedule, Period: p.Period}, nil
}
