package tasks_test

import (
	"errors"
	"fmt"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
)

func Example() {
	note := tasks.NewSend("order-history-2026-11", campaign.PlaceOf(417), 1, campaign.LaneBulk)
	fmt.Println(note.Type())
	fmt.Println(string(note.Payload()))

	send, err := tasks.ParseSend(note.Payload())
	fmt.Println(send.Campaign, send.Page, send.Index, err)

	_, err = tasks.ParseSend([]byte(`{"v":2,"campaign":"order-history-2026-11","who":417}`))
	fmt.Println(errors.Is(err, tasks.ErrUnreadable), err)

	// Output:
	// sendfile:send
	// {"v":1,"campaign":"order-history-2026-11","page":4,"index":17}
	// order-history-2026-11 4 17 <nil>
	// true unreadable task: version 2
}
