package campaign_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redistest"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

func TestMain(m *testing.M) {
	flag.Parse()
	redis.SetLogger(quiet{}) // tests kill their Redis, and the client would say so
	os.Exit(m.Run())
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// noon is when everything happens in these tests, give or take minutes.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// bundle is a ledger on a Redis of its own.
type bundle struct {
	server *redistest.Server
	rdb    *redis.Client
	ledger *campaign.Ledger
}

func setup(t testing.TB, opts ...redistest.Option) *bundle {
	t.Helper()
	s := redistest.Start(t, opts...)
	return &bundle{server: s, rdb: s.Client(), ledger: campaign.NewLedger(s.Client())}
}

func spec(id campaign.ID) *campaign.Spec {
	return &campaign.Spec{
		ID:          id,
		MessageType: "MKT",
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 600, Template: "file", Parameters: map[string]string{"url": "{{.url}}"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Yours is at {{.url}}."}},
		},
		Rate: 10, Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold,
	}
}

// people are recipients from..to-1 of a list with the column url.
func people(from, to int) []campaign.Recipient {
	list := make([]campaign.Recipient, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, campaign.Recipient{
			ID: fmt.Sprintf("r%d", i), Phone: fmt.Sprintf("+4179%07d", i), Values: []string{fmt.Sprintf("https://example.com/%d", i)},
		})
	}
	return list
}

// pages are the stored pages of a list of n.
func pages(t testing.TB, n int) [][]byte {
	t.Helper()
	var all [][]byte
	for from := 0; from < n; from += campaign.PageSize {
		b, err := campaign.EncodePage(1, people(from, min(n, from+campaign.PageSize)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func content(n int, digest string) campaign.Content {
	return campaign.Content{Total: n, Pages: (n + campaign.PageSize - 1) / campaign.PageSize, Digest: digest}
}

// open takes a draft.
func (b *bundle) open(t testing.TB, id campaign.ID) *campaign.Opening {
	t.Helper()
	o, err := b.ledger.Open(t.Context(), spec(id), []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// write adds all pages of a list of n to a draft.
func write(t testing.TB, o *campaign.Opening, n int) {
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
func (b *bundle) apply(t testing.TB, c *campaign.Info, p campaign.Place, events ...campaign.Event) campaign.Seen {
	t.Helper()
	var seen campaign.Seen
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
func (b *bundle) healthy(t testing.TB, c *campaign.Info) *campaign.Verdict {
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

// reference is a made-up reference in Telesign's form.
func reference(n int) string { return fmt.Sprintf("%032X", 0xA000_0000_0000+n) }

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
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(campaign.Seen{}))
}

func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// together runs f in n goroutines that start at once, and waits for all.
func together(n int, f func(i int)) {
	start, done := make(chan struct{}), make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			<-start
			f(i)
		}()
	}
	close(start)
	for range n {
		<-done
	}
}

func background(t testing.TB) context.Context { return context.WithoutCancel(t.Context()) }
