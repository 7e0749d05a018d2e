package tasks_test

import (
	"errors"
	"fmt"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
)

func Example() {
	note := tasks.NewSend(campaign.Attempt{Campaign: "order-history-2026-11", Salt: "k3v7q2m5", Place: campaign.PlaceOf(417), Number: 1})
	fmt.Println(note.Type())
	fmt.Println(string(note.Payload()))

	send, err := tasks.ParseSend(note.Payload())
	fmt.Println(send.Campaign, send.Salt, send.Page, send.Index, err)

	_, err = tasks.ParseSend([]byte(`{"v":2,"campaign":"order-history-2026-11","who":417}`))
	fmt.Println(errors.Is(err, campaign.ErrNewer), err)

	// Output:
	// sendfile:send
	// {"v":1,"campaign":"order-history-2026-11","salt":"k3v7q2m5","page":4,"index":17}
	// order-history-2026-11 k3v7q2m5 4 17 <nil>
	// true read a task: version 2: written by a newer handout: update this one
}
