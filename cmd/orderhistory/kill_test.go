package main_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/ledger"
)

// The shop is generated with orders until the beginning of this day.
var (
	day   = time.Now().UTC().Format(time.DateOnly)
	theID = campaign.ID("order-history-" + day)
)

// whole holds what is there against "each customer has exactly one file and one
// message, and its link brings the file".
func (p *place) whole(customers int) {
	t := p.t
	t.Helper()
	if n := p.stored(); n != customers {
		t.Errorf("the store has %d files for %d customers", n, customers)
	}
	ids, err := ledger.New(p.redis.Client()).Campaigns(t.Context(), 10)
	must(t, err)
	if len(ids) != 1 || ids[0] != theID {
		t.Errorf("campaigns %v", ids)
	}
	all := p.recipients(theID)
	links, who := map[string]bool{}, map[string]bool{}
	for i, one := range all {
		who[one.ID] = true
		links[strings.Split(one.Values[0], "?")[0]] = true
		if i%50 == 0 {
			resp, err := http.Get(one.Values[0])
			must(t, err)
			content, err := io.ReadAll(resp.Body)
			must(t, err)
			_ = resp.Body.Close()
			want := ""
			db, err := database.Create(t.Context(), p.state)
			must(t, err)
			must(t, db.QueryRowContext(t.Context(), "SELECT sha256 FROM orderhistory_files WHERE customer = '"+one.ID+"'").Scan(&want))
			_ = db.Close()
			if resp.StatusCode != http.StatusOK || store.Sum(content) != want {
				t.Errorf("customer %s: HTTP status %d, and not the file that was written", one.ID, resp.StatusCode)
			}
		}
	}
	if len(all) != customers || len(who) != customers || len(links) != customers {
		t.Errorf("%d recipients, %d of them different, with %d files, for %d customers", len(all), len(who), len(links), customers)
	}
	if n := p.asks("SELECT count(*) FROM orderhistory_files WHERE state = 'enqueued'"); n != customers {
		t.Errorf("%d files are enqueued", n)
	}
	if n := p.asks("SELECT count(*) FROM orderhistory_last"); n != customers {
		t.Errorf("%d last files", n)
	}
}

// TestKill_AtAnyMomentEachCustomerHasOneFileAndOneMessage kills runs after random
// times, further on each time, until one gets through.
func TestKill_AtAnyMomentEachCustomerHasOneFileAndOneMessage(t *testing.T) {
	t.Parallel()
	const customers = 400
	for name, at := range map[string]func(*place) *place{
		"SQLite, folder": func(p *place) *place { return p },
		"SQLite, S3":     (*place).onS3,
		"PostgreSQL, S3": func(p *place) *place { return p.onPostgres().onS3() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := at(settle(t, customers))
			killed := 0
			for after := 20 * time.Millisecond; ; after += time.Duration(rand.Int64N(int64(after)/2 + 1)) {
				r := p.launch("run", "--period", day)
				select {
				case <-r.exited:
				case <-time.After(after):
					r.kill()
				}
				if r.cmd.ProcessState.ExitCode() == 0 {
					break
				}
				if code := r.cmd.ProcessState.ExitCode(); code != -1 {
					t.Fatalf("exit status %d:\n%s", code, r.out.String())
				}
				killed++
			}
			t.Logf("killed %d times", killed)
			if killed < 3 {
				t.Errorf("it was killed %d times only", killed)
			}
			p.whole(customers)
			if out := p.done("run", "--period", day); !strings.Contains(out, "finished before") {
				t.Errorf("it ran again: %s", out)
			}
			p.whole(customers)
		})
	}
}

// TestKill_WithHalfOfTheFilesWritten kills a run when the store has some files,
// and finds that the next doesn't plan anew.
func TestKill_WithHalfOfTheFilesWritten(t *testing.T) {
	t.Parallel()
	p := settle(t, 600)
	p.env["ORDERHISTORY_WORKERS"], p.env["ORDERHISTORY_UPLOADS"] = "1", "1"
	r := p.launch("run", "--period", day)
	await(t, "200 files", func() bool { return p.stored() >= 200 || r.ended() })
	r.kill()
	if p.stored() >= 600 || p.recipients(theID) != nil {
		t.Fatalf("%d files:\n%s", p.stored(), r.out.String())
	}
	planned := p.asks("SELECT planned_at FROM orderhistory_exports")
	// Who is in it is fixed: a new order, and a customer who goes, change nothing
	// but what the query gives.
	shop, err := database.Create(t.Context(), p.env["ORDERHISTORY_SHOP"])
	must(t, err)
	_, err = shop.ExecContext(t.Context(), "UPDATE customers SET name = 'Somebody Else', phone = '+12015550100'")
	must(t, err)
	must(t, shop.Close())
	p.done("run", "--period", day)
	if again := p.asks("SELECT planned_at FROM orderhistory_exports"); again != planned {
		t.Error("it was planned anew")
	}
	p.whole(600)
}

// TestKill_BetweenStoredLinksAndTheCampaign holds Redis still, so that the run
// stands where the links are stored and nothing is submitted.
func TestKill_BetweenStoredLinksAndTheCampaign(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*place) *place{
		"SQLite": func(p *place) *place { return p }, "PostgreSQL": (*place).onPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := at(settle(t, 50))
			must(t, p.redis.Client().Do(t.Context(), "client", "pause", 600_000, "write").Err())
			r := p.launch("run", "--period", day)
			await(t, "phase sending", func() bool {
				return p.asks("SELECT count(*) FROM orderhistory_exports WHERE phase = 'sending'") == 1 || r.ended()
			})
			lived := !r.ended()
			r.kill()
			must(t, p.redis.Client().Do(t.Context(), "client", "unpause").Err())
			if !lived || p.recipients(theID) != nil {
				t.Fatalf("it wasn't killed where it should be:\n%s", r.out.String())
			}
			p.done("run", "--period", day)
			p.whole(50)
		})
	}
}

// TestKill_BetweenTheCampaignAndItsNote locks the state, so that the campaign
// stands and the run can't say so.
func TestKill_BetweenTheCampaignAndItsNote(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*place) *place{
		"SQLite, folder": func(p *place) *place { return p }, "PostgreSQL, S3": func(p *place) *place { return p.onPostgres().onS3() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := at(settle(t, 50))
			must(t, p.redis.Client().Do(t.Context(), "client", "pause", 600_000, "write").Err())
			r := p.launch("run", "--period", day)
			await(t, "phase sending", func() bool {
				return p.asks("SELECT count(*) FROM orderhistory_exports WHERE phase = 'sending'") == 1 || r.ended()
			})
			unlock := p.lockState()
			must(t, p.redis.Client().Do(t.Context(), "client", "unpause").Err())
			await(t, "the campaign", func() bool { return p.recipients(theID) != nil || r.ended() })
			lived := !r.ended()
			r.kill()
			unlock()
			if !lived || len(p.recipients(theID)) != 50 {
				t.Fatalf("it wasn't killed where it should be, with %d recipients:\n%s", len(p.recipients(theID)), r.out.String())
			}
			if n := p.asks("SELECT count(*) FROM orderhistory_exports WHERE phase = 'sending'"); n != 1 {
				t.Fatalf("it isn't in phase sending:\n%s", r.out.String())
			}
			before, at := fmt.Sprint(p.recipients(theID)), time.Now().Unix()
			// A link made in the same second would be the same.
			await(t, "another second", func() bool { return time.Now().Unix() > at })
			p.done("run", "--period", day)
			p.whole(50)
			if after := fmt.Sprint(p.recipients(theID)); after != before {
				t.Error("the list has changed")
			}
		})
	}
}

// lockState keeps everybody from writing exports until its result is called.
func (p *place) lockState() (unlock func()) {
	p.t.Helper()
	db, err := database.Create(context.Background(), p.state)
	must(p.t, err)
	tx, err := db.BeginTx(context.Background(), new(sql.TxOptions)) // SQLite's is immediate
	must(p.t, err)
	_, err = tx.Exec("UPDATE orderhistory_exports SET bytes = bytes")
	must(p.t, err)
	return func() { _ = tx.Rollback(); _ = db.Close() }
}

func TestRun_InterruptedItGoesOnLater(t *testing.T) {
	t.Parallel()
	p := settle(t, 600)
	p.env["ORDERHISTORY_WORKERS"], p.env["ORDERHISTORY_UPLOADS"] = "1", "1"
	r := p.launch("run", "--period", day)
	await(t, "100 files", func() bool { return p.stored() >= 100 || r.ended() })
	must(t, r.cmd.Process.Signal(syscall.SIGINT))
	select {
	case <-r.exited:
	case <-time.After(patience):
		t.Fatal("it doesn't end")
	}
	if r.cmd.ProcessState.ExitCode() != 1 || r.out.String() != "orderhistory: interrupted; run the same command again: it goes on where it was, and sends to no customer twice\n" {
		t.Errorf("%d: %s", r.cmd.ProcessState.ExitCode(), r.out.String())
	}
	p.done("run", "--period", day)
	p.whole(600)
}
