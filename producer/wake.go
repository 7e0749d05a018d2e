package producer

import (
	"context"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/tasks"
)

// wake puts a note to feed the campaign into the queue. Without it the workers'
// next sweep would find the campaign, within seconds.
func (c *Client) wake(ctx context.Context, id campaign.ID) error {
	return queue.New(c.rdb).Enqueue(ctx, tasks.NewFeed(id, time.Now().Unix()))
}
