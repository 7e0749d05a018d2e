package ledger_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	logging.Disable() // tests kill their Redis, and the client would say so
	os.Exit(m.Run())
}

// bundle is a ledger on a Redis of its own.
type bundle struct {
	server       *redistest.Server
	rdb          *redis.Client
	ledger       *ledger.Ledger
	suppressions *suppression.List
}

func setup(t testing.TB, opts ...redistest.Option) *bundle {
	t.Helper()
	s := redistest.Start(t, opts...)
	return &bundle{server: s, rdb: s.Client(), ledger: ledger.New(s.Client()), suppressions: suppression.New(s.Client())}
}

// pages are the stored pages of a list of n.
func pages(t testing.TB, n int) [][]byte {
	t.Helper()
	var all [][]byte
	for from := 0; from < n; from += campaign.PageSize {
		b, err := campaigntest.EncodePage(1, campaigntest.People(from, min(n, from+campaign.PageSize)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func content(n int, digest string) ledger.Content {
	return ledger.Content{Total: n, Pages: (n + campaign.PageSize - 1) / campaign.PageSize, Digest: digest}
}

// open takes a draft.
func (b *bundle) open(t testing.TB, id campaign.ID) *ledger.Opening {
	t.Helper()
	o, err := b.ledger.Open(t.Context(), campaigntest.Spec(id), []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// write adds all pages of a list of n to a draft.
func write(t testing.TB, o *ledger.Opening, n int) {
	t.Helper()
	all := pages(t, n)
	for first := 0; first < len(all); first += 50 {
		if err := o.AddPages(t.Context(), first, all[first:min(len(all), first+50)]); err != nil {
			t.Fatal(err)
		}
	}
}

// stand makes a running campaign of n recipients.
func (b *bundle) stand(t testing.TB, id campaign.ID, n int) *campaign.Info {
	t.Helper()
	o := b.open(t, id)
	write(t, o, n)
	info, err := o.Commit(t.Context(), content(n, "digest"), campaign.Beginning{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// apply lets events happen to a recipient, one after the other.
func (b *bundle) apply(t testing.TB, c *campaign.Info, p campaign.Place, events ...campaign.Event) ledger.Seen {
	t.Helper()
	var seen ledger.Seen
	for _, e := range events {
		var err error
		if seen, err = b.ledger.Apply(t.Context(), c, p, seen, e); err != nil {
			t.Fatalf("%s of %d.%d: %v", e.Kind, p.Page, p.Index, err)
		}
	}
	return seen
}

func (b *bundle) balance(t testing.TB, id campaign.ID) *campaign.Balance {
	t.Helper()
	bal, err := b.ledger.Balance(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return bal
}

func (b *bundle) phase(t testing.TB, id campaign.ID) campaign.Phase {
	t.Helper()
	p, _, _, err := b.ledger.Phase(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// healthy fails the test unless the campaign's balance closes.
func (b *bundle) healthy(t testing.TB, c *campaign.Info) *ledger.Verdict {
	t.Helper()
	v, err := b.ledger.Verify(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Faults) > 0 || v.Moving {
		t.Fatalf("campaign %s: faults %q, moving %v", c.ID, v.Faults, v.Moving)
	}
	return v
}

func key(id campaign.ID, rest string) string { return "handout:{" + string(id) + "}:" + rest }

// own makes events a recipient's own: no two have the same reference.
func own(p campaign.Place, events ...campaign.Event) []campaign.Event {
	mine := slices.Clone(events)
	for i, e := range mine {
		if e.Reference != "" {
			mine[i].Reference = fmt.Sprintf("%08X", p.Position()+1) + e.Reference[8:]
		}
	}
	return mine
}

// diff ignores what a Seen keeps for itself.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(ledger.Seen{}))
}

func background(t testing.TB) context.Context { return context.WithoutCancel(t.Context()) }
