package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func zAt(id campaign.ID, i int) redis.Z {
	return redis.Z{Score: float64(campaigntest.Noon.Add(time.Duration(i) * time.Hour).UnixMilli()), Member: string(id)}
}

// claimBy is a claim with a number of the claimant's own.
func claimBy(n int) campaign.Event {
	e := campaigntest.Claim()
	e.Claim = uint64(n + 1)
	return e
}

func refused(err error) bool {
	var e *campaign.TransitionError
	return errors.As(err, &e)
}

func TestClaim_OfManyWorkersOneWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	var won atomic.Int32
	var winner atomic.Uint64
	other := ledger.New(b.rdb) // another process: its changes don't travel with ours
	campaigntest.Together(64, func(i int) {
		l := b.ledger
		if i%2 == 0 {
			l = other
		}
		seen, err := l.Apply(t.Context(), info, campaign.Place{}, ledger.Seen{}, claimBy(i))
		switch {
		case err == nil:
			won.Add(1)
			winner.Store(seen.Record.Claim)
		case !refused(err):
			t.Error(err)
		}
	})
	if won.Load() != 1 {
		t.Fatalf("%d won", won.Load())
	}
	seen, err := b.ledger.ReadRecord(t.Context(), info, campaign.Place{})
	if err != nil || seen.Record.Claim != winner.Load() || seen.Record.Attempt != 1 {
		t.Errorf("%+v, %v", seen.Record, err)
	}
	b.healthy(t, info)
}

func TestClaim_SecondWorkerIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	first := b.apply(t, info, campaign.Place{}, claimBy(1))
	second, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, ledger.Seen{}, claimBy(2))
	if !refused(err) {
		t.Errorf("%v, want a TransitionError", err)
	}
	if second != first {
		t.Errorf("what stands is %+v, want %+v", second.Record, first.Record)
	}
}

func TestClaim_InCampaignThatDoesNotRunChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 2)
	retrying := b.apply(t, info, campaign.Place{Index: 1}, campaigntest.Claim(), campaigntest.Postpone(1))
	for _, phase := range []campaign.Phase{campaign.Draft, campaign.Paused, campaign.Held, campaign.Ended, campaign.Settling, campaign.Done} {
		b.force(t, "c", phase)
		for i, seen := range []ledger.Seen{{}, retrying} {
			p := campaign.Place{Index: i}
			if _, err := b.ledger.Apply(t.Context(), info, p, seen, campaigntest.Claim()); !errors.Is(err, campaign.ErrNotRunning) {
				t.Errorf("%s: %v, want ErrNotRunning", phase, err)
			}
			if now, err := b.ledger.ReadRecord(t.Context(), info, p); err != nil || now != seen {
				t.Errorf("%s: %+v, %v", phase, now.Record, err)
			}
		}
		b.healthy(t, info)
	}
	// Everything but a claim goes on.
	b.force(t, "c", campaign.Paused)
	b.apply(t, info, campaign.Place{}, campaigntest.Cancel())
	b.healthy(t, info)
}

func TestApply_CountsAreWhatTheRecordsSay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const each = 150
	var infos []*campaign.Info
	for _, id := range []campaign.ID{"a", "b", "c"} {
		infos = append(infos, b.stand(t, id, each))
	}
	ledgers := []*ledger.Ledger{b.ledger, ledger.New(b.rdb)}
	campaigntest.Together(64, func(g int) {
		r := rand.New(rand.NewPCG(uint64(g), 5))
		for range 30 {
			info, p := campaigntest.Pick(r, infos), campaign.PlaceOf(r.IntN(each))
			e := anyEvent(r)
			if e.Reference != "" {
				e.Reference = fmt.Sprintf("%s-%d-%d", info.ID, p.Position(), e.Attempt)
			}
			_, err := campaigntest.Pick(r, ledgers).Apply(t.Context(), info, p, ledger.Seen{}, e)
			if err != nil && !refused(err) {
				t.Error(err)
			}
		}
	})
	states := map[campaign.State]int{}
	for _, info := range infos {
		v := b.healthy(t, info)
		if bal := b.balance(t, info.ID); *bal != v.Balance {
			t.Errorf("%s: counted %+v, recounted %+v", info.ID, bal, v.Balance)
		}
		for _, s := range campaign.States() {
			states[s] += v.Balance.Of(s)
		}
		b.everyReferenceIsFound(t, info)
	}
	for s, n := range states {
		if n == 0 {
			t.Errorf("nobody came to %s", s)
		}
	}
}

// anyEvent is one of those that can happen, for one of the first attempts.
func anyEvent(r *rand.Rand) campaign.Event {
	switch r.IntN(6) {
	case 0, 1:
		return claimBy(r.IntN(1 << 30))
	case 2:
		return campaigntest.Pick(r, campaigntest.Happenings).Make(1 + r.IntN(2))
	}
	return campaigntest.Pick(r, campaigntest.Happenings[:10]).Make(1 + r.IntN(2)) // all but receipts
}

func (b *bundle) everyReferenceIsFound(t testing.TB, info *campaign.Info) {
	t.Helper()
	err := b.ledger.EachPage(t.Context(), info, func(page *ledger.Page) error {
		for i := range page.Recipients {
			r := page.Record(i)
			if r.Reference == "" {
				continue
			}
			want := campaign.Place{Page: page.Number, Index: i}
			if p, attempt, err := b.ledger.FindReference(t.Context(), info, r.Reference); err != nil || p != want || attempt != r.Attempt {
				t.Errorf("reference of %v, attempt %d: %v, %d, %v", want, r.Attempt, p, attempt, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestApply_EveryCallMayBeMadeTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", len(campaigntest.Happenings))
	for i, h := range campaigntest.Happenings {
		p := campaign.Place{Index: i}
		seen := b.apply(t, info, p, claimBy(1), campaigntest.Postpone(1), claimBy(2))
		e := own(p, h.Make(2))[0]
		once, err1 := b.ledger.Apply(t.Context(), info, p, seen, e)
		again, err2 := b.ledger.Apply(t.Context(), info, p, seen, e)
		if h.Kind == campaign.EventOverdue {
			continue // a stale claim, then an unsettled doubt: two events
		}
		if once != again || (err1 == nil) != (err2 == nil) {
			t.Errorf("%s: %+v, %v and again %+v, %v", h.Name, once.Record, err1, again.Record, err2)
		}
	}
	b.healthy(t, info)
}

func TestApply_GoesByWhatStands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	planned := ledger.Seen{}
	claimed := b.apply(t, info, campaign.Place{}, campaigntest.Claim())
	if _, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, claimed, campaigntest.Accept(1)); err != nil {
		t.Fatal(err)
	}
	// The receipt comes from one who has looked before all that.
	seen, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, planned, campaigntest.BySMS(1))
	if err != nil || seen.Record.State != campaign.Delivered || seen.Record.ClaimedAt.IsZero() {
		t.Errorf("%+v, %v", seen.Record, err)
	}
	looked, err := b.ledger.ReadRecord(t.Context(), info, campaign.Place{})
	if err != nil || looked != seen {
		t.Errorf("Look: %+v, %v; Apply said %+v", looked.Record, err, seen.Record)
	}
}

func TestApply_ReturnsWhatIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	e := campaigntest.Claim()
	e.At = time.Now() // with a fraction, a zone and a monotonic reading
	seen := b.apply(t, info, campaign.Place{}, e)
	looked, err := b.ledger.ReadRecord(t.Context(), info, campaign.Place{})
	if err != nil || looked != seen {
		t.Errorf("stored %+v, %v; returned %+v", looked.Record, err, seen.Record)
	}
}

// What a caller decides on a record must not happen to a later attempt.
func TestApply_DecisionOnAnOldAttemptLeavesTheNewOneAlone(t *testing.T) {
	t.Parallel()
	for _, e := range []campaign.Event{campaigntest.Overdue(), campaigntest.Resend()} {
		t.Run(e.Kind.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			info := b.stand(t, "c", 1)
			old := b.apply(t, info, campaign.Place{}, claimBy(1), campaigntest.Doubt(1))
			fresh := b.apply(t, info, campaign.Place{}, campaigntest.Resend(), claimBy(2), campaigntest.Doubt(2))
			now, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, old, e)
			if err != nil || now != fresh {
				t.Errorf("%+v, %v; want %+v", now.Record, err, fresh.Record)
			}
		})
	}
}

func TestApply_LateDeferDoesNotFreeAnothersClaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	mine := b.apply(t, info, campaign.Place{}, claimBy(1))
	answer := campaigntest.Throttle(1)
	if _, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, mine, answer); err != nil {
		t.Fatal(err)
	}
	others := b.apply(t, info, campaign.Place{}, claimBy(2)) // under the same number
	now, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, mine, answer)
	if err != nil || now != others {
		t.Errorf("%+v, %v; want %+v", now.Record, err, others.Record)
	}
}

func TestApply_NobodyOutsideTheListIsWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 150)
	for _, p := range []campaign.Place{{Page: 1, Index: 50}, {Page: 7}, {Index: 100}, {Index: -1}, {Page: -1}, {Page: 1, Index: -1}} {
		if _, err := b.ledger.Apply(t.Context(), info, p, ledger.Seen{}, campaigntest.ByWhatsApp(1)); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("apply to %v: %v, want ErrNotFound", p, err)
		}
		if _, err := b.ledger.ReadRecord(t.Context(), info, p); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("look at %v: %v, want ErrNotFound", p, err)
		}
	}
	b.healthy(t, info)
}

func TestApply_CanceledCallerChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := b.ledger.Apply(ctx, info, campaign.Place{}, ledger.Seen{}, campaigntest.Claim()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if seen, err := b.ledger.ReadRecord(t.Context(), info, campaign.Place{}); err != nil || seen.Record.State != campaign.Planned {
		t.Errorf("%+v, %v", seen.Record, err)
	}
}

func TestApply_RecordThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	if err := b.rdb.HSet(t.Context(), key("c", "rec:0"), "0", "garbage").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, ledger.Seen{}, campaigntest.Claim()); !errors.Is(err, campaign.ErrBadRecord) {
		t.Errorf("apply: %v", err)
	}
	if _, err := b.ledger.ReadRecord(t.Context(), info, campaign.Place{}); !errors.Is(err, campaign.ErrBadRecord) {
		t.Errorf("look: %v", err)
	}
	if _, err := b.ledger.Records(t.Context(), "c", 0); !errors.Is(err, campaign.ErrBadRecord) {
		t.Errorf("records: %v", err)
	}
	if n := b.balance(t, "c").Of(campaign.Planned); n != 1 {
		t.Errorf("%d planned", n)
	}
}

// loser is a hook that loses the answer to one EVALSHA of several keys, after Redis has
// done it.
type loser struct{ armed atomic.Bool }

func (h *loser) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *loser) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *loser) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && cmd.Name() == "evalsha" && cmd.Args()[2] != 1 && h.armed.CompareAndSwap(true, false) {
			err = &net.OpError{Op: "read", Net: "unix", Err: io.ErrUnexpectedEOF}
			cmd.SetErr(err)
		}
		return err
	}
}

func TestApply_LostAnswerIsFoundByAskingAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 20)
	b.apply(t, info, campaign.Place{Index: 19}, campaigntest.Claim()) // the script is known from here on
	lost := new(loser)
	b.rdb.AddHook(lost)

	// Whatever happens in between, the claimant wins and no other does.
	for i, between := range map[int]func(){
		0: func() {},
		1: func() {
			if _, err := b.ledger.Apply(t.Context(), info, campaign.Place{Index: 1}, ledger.Seen{}, claimBy(9)); !refused(err) {
				t.Errorf("another worker: %v", err)
			}
		},
		2: func() {
			if err := b.ledger.Pause(t.Context(), "c", campaign.Actor{Name: "ann", Why: "lunch"}, campaigntest.Noon); err != nil {
				t.Error(err)
			}
		},
	} {
		p := campaign.Place{Index: i}
		lost.armed.Store(true)
		if _, err := b.ledger.Apply(t.Context(), info, p, ledger.Seen{}, claimBy(i)); err == nil || refused(err) {
			t.Fatalf("the answer was not lost: %v", err)
		}
		between()
		seen, err := b.ledger.Apply(t.Context(), info, p, ledger.Seen{}, claimBy(i))
		if err != nil || seen.Record.State != campaign.Claimed || seen.Record.Claim != uint64(i+1) || seen.Record.Attempt != 1 {
			t.Errorf("recipient %d: %+v, %v", i, seen.Record, err)
		}
		if err := b.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, campaigntest.Noon); err != nil {
			t.Fatal(err)
		}
		// The answers that follow may be lost as well.
		for _, e := range []campaign.Event{campaigntest.Accept(1), campaigntest.BySMS(1)} {
			e.Reference = campaigntest.Reference(100 + i)
			lost.armed.Store(true)
			if _, err := b.ledger.Apply(t.Context(), info, p, seen, e); err == nil {
				t.Fatal("the answer was not lost")
			}
			if seen, err = b.ledger.Apply(t.Context(), info, p, seen, e); err != nil {
				t.Error(err)
			}
		}
	}
	if bal := b.balance(t, "c"); bal.Of(campaign.Delivered) != 3 || bal.Of(campaign.Claimed) != 1 {
		t.Errorf("%+v", bal)
	}
	b.healthy(t, info)
	b.everyReferenceIsFound(t, info)
}

// cutConn reads an answer and then says that the connection broke.
type cutConn struct {
	net.Conn
	cut *atomic.Bool
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.cut.CompareAndSwap(true, false) {
		_ = c.Close()
		return 0, io.EOF
	}
	return n, err
}

// The client asks again by itself when a connection breaks.
func TestApply_BrokenConnectionClaimsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 10)
	b.apply(t, info, campaign.Place{Index: 9}, campaigntest.Claim())

	u, err := url.Parse(b.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	var cut atomic.Bool
	client := redis.NewClient(&redis.Options{
		Network: "unix", Addr: u.Path, PoolSize: 1, DisableIdentity: true,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &cutConn{Conn: c, cut: &cut}, nil
		},
	})
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	l := ledger.New(client)
	for i := range 9 {
		cut.Store(true)
		seen, err := l.Apply(t.Context(), info, campaign.Place{Index: i}, ledger.Seen{}, claimBy(i))
		if err != nil || seen.Record.Claim != uint64(i+1) {
			t.Errorf("%+v, %v", seen.Record, err)
		}
		if cut.Load() {
			t.Error("nothing was cut")
		}
	}
	if n := b.balance(t, "c").Of(campaign.Claimed); n != 10 {
		t.Errorf("%d claimed, want 10", n)
	}
	b.healthy(t, info)
}

// progress is what one goroutine of the storm knows of a recipient.
type progress struct {
	acknowledged ledger.Seen    // what the ledger said last
	pending      campaign.Event // sent, and never answered
}

func TestApply_CrashOfRedisLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.AppendOnly("always"))
	const workers, each = 16, 60
	infos := []*campaign.Info{b.stand(t, "a", workers*each), b.stand(t, "b", workers*each)}

	var mu sync.Mutex
	known := map[string]*progress{}
	enough := make(chan struct{})
	var acknowledged atomic.Int32
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		campaigntest.Together(workers, func(w int) {
			for n := range each {
				for k, info := range infos {
					position := w*each + n
					at := new(progress)
					mu.Lock()
					known[fmt.Sprintf("%s %d", info.ID, position)] = at
					mu.Unlock()
					for _, e := range []campaign.Event{claimBy(position), campaigntest.Accept(1), campaigntest.BySMS(1)} {
						if e.Reference != "" {
							e.Reference = campaigntest.Reference(position*2 + k)
						}
						at.pending = e
						seen, err := b.ledger.Apply(background(t), info, campaign.PlaceOf(position), at.acknowledged, e)
						if err != nil {
							return // Redis is gone
						}
						at.acknowledged, at.pending = seen, campaign.Event{}
						if acknowledged.Add(1) == 700 {
							close(enough)
						}
					}
				}
			}
		})
	}()
	<-enough
	b.server.Kill()
	<-stopped
	b.server.Restart()
	// After many refusals the client's pool tries one connection a second.
	for deadline := time.Now().Add(30 * time.Second); b.rdb.Ping(t.Context()).Err() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the client doesn't find the server again")
		}
	}

	l := ledger.New(b.rdb)
	open := 0
	for name, at := range known {
		id, number, _ := strings.Cut(name, " ")
		info := infos[0]
		if string(info.ID) != id {
			info = infos[1]
		}
		var position int
		if _, err := fmt.Sscan(number, &position); err != nil {
			t.Fatal(err)
		}
		p := campaign.PlaceOf(position)
		now, err := l.ReadRecord(t.Context(), info, p)
		if err != nil {
			t.Fatal(err)
		}
		if at.pending.Kind == campaign.EventClaim && at.pending.At.IsZero() {
			if now != at.acknowledged {
				t.Errorf("%s: %+v, acknowledged was %+v", name, now.Record, at.acknowledged.Record)
			}
			continue
		}
		// The change that was under way may have been made, or not; saying it
		// again makes it.
		open++
		next, err := campaign.Next(at.acknowledged.Record, at.pending)
		if err != nil {
			t.Fatal(err)
		}
		if now != at.acknowledged && now.Record != next {
			t.Errorf("%s: %+v, neither %+v nor %+v", name, now.Record, at.acknowledged.Record, next)
		}
		if again, err := l.Apply(t.Context(), info, p, at.acknowledged, at.pending); err != nil || again.Record != next {
			t.Errorf("%s, said again: %+v, %v", name, again.Record, err)
		}
	}
	if open == 0 {
		t.Error("nothing was under way when Redis died")
	}
	for _, info := range infos {
		b.healthy(t, info)
		b.everyReferenceIsFound(t, info)
	}
}

// A caller that hasn't looked is not refused by what it takes for granted.
func TestApply_IsRefusedOnlyByWhatStands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	b.apply(t, info, campaign.Place{}, campaigntest.Claim())
	seen, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, ledger.Seen{}, campaigntest.Accept(1))
	if err != nil || seen.Record.State != campaign.Accepted {
		t.Errorf("%+v, %v", seen.Record, err)
	}
	now, err := b.ledger.Apply(t.Context(), info, campaign.Place{}, ledger.Seen{}, campaigntest.Resend())
	if !refused(err) || now != seen {
		t.Errorf("%+v, %v; want what stands and a TransitionError", now.Record, err)
	}
}
