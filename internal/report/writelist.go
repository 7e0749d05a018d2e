package report

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// each yields campaigns part by part, however many there are.
func (q *Reader) each(ctx context.Context, o ListQuery, yield func(part []Summary) error) error {
	for {
		list, err := q.List(ctx, o)
		if err != nil {
			return err
		}
		if err := yield(list.Campaigns); err != nil || list.Next == "" {
			return err
		}
		o.After = list.Next
	}
}

// listed is a campaign in the JSON array, which is a contract.
type listed struct {
	Campaign  campaign.ID    `json:"campaign"`
	State     campaign.Phase `json:"state"`
	Reason    string         `json:"reason"` // why it is held, paused or canceled
	Total     int            `json:"total"`
	Delivered int            `json:"delivered"`
	CreatedAt time.Time      `json:"created_at"`
}

// WriteListJSON writes campaigns as a JSON array, one on each line.
func (q *Reader) WriteListJSON(ctx context.Context, o ListQuery, w io.Writer) error {
	out, before := bufio.NewWriter(w), "["
	err := q.each(ctx, o, func(part []Summary) error {
		for i := range part {
			s := &part[i]
			text, err := json.Marshal(listed{s.ID, s.Phase, s.Reason, s.Total, s.Balance.Of(campaign.Delivered), s.CreatedAt})
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n%s", before, text)
			before = ","
		}
		return out.Flush()
	})
	if err != nil {
		return err
	}
	end := "\n]\n"
	if before == "[" {
		end = "[]\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

// WriteList writes campaigns as a table. It aligns each part, no narrower than the
// part before.
func (q *Reader) WriteList(ctx context.Context, o ListQuery, w io.Writer) error {
	out := bufio.NewWriter(w)
	rows := [][5]string{{"campaign", "state", "people", "delivered", "why"}}
	var wide [4]int
	return q.each(ctx, o, func(part []Summary) error {
		for i := range part {
			s := &part[i]
			rows = append(rows, [5]string{string(s.ID), string(s.Phase), fmt.Sprint(s.Total), fmt.Sprint(s.Balance.Of(campaign.Delivered)), plainly(s.Reason)})
		}
		for _, row := range rows {
			for i := range wide {
				wide[i] = max(wide[i], len(row[i]))
			}
		}
		for _, row := range rows {
			line := fmt.Sprintf("%-*s  %-*s  %*s  %*s  %s", wide[0], row[0], wide[1], row[1], wide[2], row[2], wide[3], row[3], row[4])
			fmt.Fprintln(out, strings.TrimRight(line, " "))
		}
		rows = rows[:0]
		return out.Flush()
	})
}
