package orderhistory

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/internal/phone"
)

// plan fixes who gets a file. What is wrong with the list as a whole shows here
// already, before a single file is written.
func (r *run) plan(ctx context.Context, id campaign.ID) (*state.Export, error) {
	e := &state.Export{
		Period: r.period.Key, Campaign: string(id), Phase: state.Writing, Until: r.period.Until,
		Everybody: r.options.Everybody, PlannedAt: r.now(),
	}
	return e, r.fix(ctx, e)
}

// dryRun plans, judges and checks in a rehearsal of the state. What it can't see
// is what only files show.
func (r *run) dryRun(ctx context.Context, id campaign.ID) (*Result, error) {
	e, err := r.plan(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := r.check(ctx, e); err != nil {
		return nil, err
	}
	if err := r.tryOrders(ctx, e); err != nil {
		return nil, err
	}
	aside, err := r.State.Aside(ctx, e.Period)
	return &Result{
		Period: r.period.Key, Campaign: id, DryRun: true, Customers: e.Customers, SetAside: e.SetAside, Aside: aside, Drifted: r.drifted,
	}, err
}

// fix makes a plan of the shop's customers, and judges it.
func (r *run) fix(ctx context.Context, e *state.Export) error {
	// The files' names are made with it. It is drawn once and stays in the state.
	secret, err := r.State.Setting(ctx, "secret", func() string { return rand.Text() + rand.Text() })
	if err != nil {
		return err
	}
	lasts := map[bool]*state.Export{}
	for _, whole := range []bool{true, false} {
		if lasts[whole], err = r.State.LastDone(ctx, whole); err != nil {
			return err
		}
	}
	asked := false
	fill := func(add func(*state.File) error) error {
		columns := func(further []string) error { e.Further = further; return nil }
		n := 0
		err := r.Shop.Customers(ctx, r.period.Until, columns, func(c *shop.Customer) error {
			n++
			r.counter.report(r.Progress, "planning", n, 0)
			asked = true
			defer func() { asked = false }()
			return add(r.planned(c, secret))
		})
		if err != nil && !asked && ctx.Err() == nil {
			return refuse(Query, "%w", err)
		}
		return err
	}
	err = r.State.Plan(ctx, e, fill, func(t state.Totals) error {
		r.last = lasts[e.Whole()]
		return r.judge(t, t.Customers-t.SetAside, -1)
	})
	if errors.Is(err, state.ErrTwice) {
		return refuse(Query, "query customers: %w: %w", shop.ErrContract, err)
	}
	return err
}

// planned returns a customer's row of the plan; one whose row can't be sent to is set
// aside.
func (r *run) planned(c *shop.Customer, secret string) *state.File {
	f := &state.File{
		Customer: c.ID, State: state.Planned, Name: clean(c.Name), Orders: c.Orders, LastOrder: c.LastOrder,
		Object: r.objectName(secret, c.ID),
	}
	for _, v := range c.Extra {
		f.Further = append(f.Further, clean(v))
	}
	phone, err := phone.Normalize(c.Phone, r.Region)
	switch {
	case c.ID == "" || len(c.ID) > maxCell:
		f.State, f.Reason = state.SetAside, "the customer ID is empty or too long"
	case c.Phone == "":
		f.State, f.Reason = state.SetAside, "no phone number"
	case err != nil:
		f.State, f.Reason = state.SetAside, err.Error() // in words, without the number
	default:
		f.Phone = phone
	}
	return f
}

// maxCell is how long a text of the shop's may be in the list, in bytes; the
// producer takes far longer ones.
const maxCell = 500

// clean makes a text fit for the list: valid, on one line, and short.
func clean(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\ufffd")), " ")
	if len(s) > maxCell {
		s = strings.ToValidUTF8(s[:maxCell], "")
	}
	return s
}

var objectCode = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// objectName is where a customer's file of the period goes: always the same, and
// nothing that can be guessed.
func (r *run) objectName(secret, customer string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, r.period.Key+"\n"+customer)
	return path.Join(r.Prefix, r.period.id(), objectCode.EncodeToString(mac.Sum(nil)[:20])+".xlsx")
}
