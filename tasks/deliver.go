package tasks

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
)

// Deliver is the task to tell an endpoint what became of a campaign.
type Deliver struct {
	Campaign campaign.ID
	Endpoint string
}

// endpointForm is that of an endpoint's ID.
var endpointForm = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

const (
	// deliverTimeout is far over what one run takes.
	deliverTimeout = 5 * time.Minute
	// deliverRetries is how often asynq runs a task again whose worker was lost.
	// Outcomes, failures too, are recorded and leave no task behind.
	deliverRetries = 10
)

// NewDeliver is the task to tell an endpoint of a campaign; tick tells two looks apart.
func NewDeliver(c campaign.ID, endpoint string, tick int64) *asynq.Task {
	b := append(append([]byte(`{"v":1,"campaign":"`), c...), `","endpoint":"`...)
	b = append(append(b, endpoint...), `"}`...) // neither needs any escaping
	return asynq.NewTask(TypeDeliver, b,
		asynq.TaskID("deliver."+string(c)+"."+endpoint+"."+strconv.FormatInt(tick, 10)),
		asynq.MaxRetry(deliverRetries),
		asynq.Timeout(deliverTimeout),
	)
}

// ParseDeliver reads the payload of a delivery; ErrUnreadable.
func ParseDeliver(b []byte) (Deliver, error) {
	p, c, err := parse(b)
	if err != nil {
		return Deliver{}, err
	}
	if !endpointForm.MatchString(p.Endpoint) {
		return Deliver{}, fmt.Errorf("%w: no such endpoint", ErrUnreadable)
	}
	return Deliver{Campaign: c, Endpoint: p.Endpoint}, nil
}
