package main

import (
	"context"
	"fmt"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// standing reads a campaign that has been committed.
func (a *app) standing(ctx context.Context, l *ledger.Ledger, id campaign.ID) (*campaign.Info, error) {
	info, err := l.Info(ctx, id)
	if err != nil {
		return nil, notFound(id, err)
	}
	if info.Phase == campaign.Draft {
		return nil, fmt.Errorf("campaign %s is a draft: its submit hasn't finished; run it again", id)
	}
	return info, nil
}
