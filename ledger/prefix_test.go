package ledger_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

// Two installations on one Redis have campaigns and one-off keys of the same names.
func TestPrefix_TwoInstallationsNeverMeet(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	install := func(prefix string) *bundle {
		rdb, err := redisx.Open(server.URL(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = rdb.Close() })
		single, _ := rdb.(*redis.Client)
		return &bundle{server: server, rdb: single, ledger: ledger.New(rdb), suppressions: suppression.New(rdb)}
	}
	one, two := install("one"), install("two")
	first, second := one.stand(t, "c", 120), two.stand(t, "c", 7)
	if first.Salt == second.Salt || first.Total != 120 || second.Total != 7 {
		t.Errorf("%+v, %+v", first, second)
	}
	one.apply(t, first, campaign.PlaceOf(3), campaigntest.Claim(), campaigntest.Accept(1), campaigntest.ByWhatsApp(1))
	for _, b := range []*bundle{one, two} {
		id, _, added, err := b.ledger.Append(t.Context(), "", "key", person(1), text("hello"), campaigntest.Noon)
		if err != nil || !added {
			t.Errorf("%s: added %v, %v", id, added, err)
		}
	}
	if seen, err := two.ledger.ReadRecord(t.Context(), second, campaign.PlaceOf(3)); err != nil || seen.Record.State != campaign.Planned {
		t.Errorf("%+v, %v", seen.Record, err)
	}
	if err := two.ledger.Cancel(t.Context(), "c", ann, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	if p := one.phase(t, "c"); p != campaign.Running {
		t.Errorf("a cancel beside it has made it %s", p)
	}
	one.healthy(t, first)
	for _, key := range server.Client().Keys(t.Context(), "*").Val() {
		if name := strings.TrimPrefix(key, "{"); !strings.HasPrefix(name, "one:") && !strings.HasPrefix(name, "two:") {
			t.Errorf("the key %s is neither's", key)
		}
	}
}
