package report_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

// trips counts a client's round trips.
type trips int

func (n *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (n *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { *n++; return next(ctx, cmd) }
}

func (n *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { *n++; return next(ctx, cmds) }
}

func TestList_ReadsAnyNumberOfCampaignsInFewRoundTripsEachOnce(t *testing.T) {
	t.Parallel()
	const many = 3500
	server := redistest.Start(t)
	rdb, ctx := server.Client(), t.Context()
	add := func(p redis.Pipeliner, i int) campaign.ID {
		id := campaign.ID(fmt.Sprintf("c%04d", i))
		state, reason := campaign.Done, ""
		if i%100 == 0 {
			state, reason = campaign.Held, "no money"
		}
		p.HSet(ctx, "handout:{"+string(id)+"}:meta", "state", string(state), "reason", reason, "total", i, "created", i+1)
		p.HSet(ctx, "handout:{"+string(id)+"}:counts", "delivered", i)
		p.ZAdd(ctx, "handout:campaigns", redis.Z{Score: float64(i), Member: string(id)})
		return id
	}
	var want []campaign.ID
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range many {
			want = append(want, add(p, i))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(want)
	n := new(trips)
	rdb.AddHook(n)
	q := report.NewReader(rdb, 10)
	whole := func(o report.ListQuery) (all []report.Summary, parts int) {
		t.Helper()
		for {
			list, err := q.List(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, list.Campaigns...)
			if parts++; list.Next == "" {
				return all, parts
			}
			o.After = list.Next
			if _, err := server.Client().Pipelined(ctx, func(p redis.Pipeliner) error { add(p, many+parts); return nil }); err != nil {
				t.Fatal(err) // a new one moves the positions of all others
			}
		}
	}
	ids := func(list []report.Summary) (all []campaign.ID) {
		for i := range list {
			all = append(all, list[i].ID)
		}
		return all
	}
	list, parts := whole(report.ListQuery{})
	if diff := cmp.Diff(want, ids(list)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if parts != 4 || *n > 8*4 {
		t.Errorf("%d parts in %d round trips", parts, *n)
	}
	first := list[0]
	if first.Phase != campaign.Done || first.Total != many-1 || first.Balance.Of(campaign.Delivered) != many-1 || !first.CreatedAt.Equal(time.UnixMilli(many)) {
		t.Errorf("%+v", first)
	}
	held, _ := whole(report.ListQuery{States: []campaign.Phase{campaign.Held, campaign.Running}, Limit: 10})
	if len(held) != 35 || held[0].ID != "c3400" || held[34].Reason != "no money" {
		t.Errorf("held are %v", ids(held))
	}
	*n = 0
	if found, _ := whole(report.ListQuery{Text: "00"}); slices.ContainsFunc(found, func(s report.Summary) bool { return !strings.Contains(string(s.ID), "00") }) || len(found) < 60 || *n > 12 {
		t.Errorf("by text: %d in %d round trips", len(found), *n)
	}
	if _, err := q.List(ctx, report.ListQuery{After: "nowhere"}); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("after one that isn't there: %v", err)
	}
	page, all, err := q.ListPage(ctx, 3495, 20)
	if err != nil || all < many || len(page) != all-3495 {
		t.Errorf("a page at the end: %d of %d, %v", len(page), all, err)
	}
}
