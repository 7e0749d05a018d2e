package schedule

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
)

const (
	monday  = Period("2026-11-23T02:00Z")
	tuesday = Period("2026-11-24T02:00Z")
	never   = "cron: 0 0 1 1 *\n" // not while a test runs
)

func TestRunner_SeveralAtOnceDoEachTickOnce(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(3))
	const keys = `cron: "* * * * * *"
overlap: beside
command: [sh, -c, "echo $HANDOUT_PERIOD >> $FOLDER/runs; cat $FOLDER/list.csv"]`
	for range 3 {
		r, _ := m.runner(keys)
		m.start(r)
	}
	var sent []*Tick
	m.await("five ticks", func() bool {
		sent = slices.DeleteFunc(m.ticks(), func(t *Tick) bool { return t.State != Running || t.Campaign == "" })
		return len(sent) >= 5
	})
	runs := m.read("runs")
	for _, tick := range sent {
		if tick.Attempt != 1 || strings.Count(runs, string(tick.Period)+"\n") != 1 {
			t.Errorf("%s: attempt %d, its list was made %d times", tick.Period, tick.Attempt, strings.Count(runs, string(tick.Period)+"\n"))
		}
		if want := campaign.ID("nightly-" + tick.Period.id()); tick.Campaign != want || tick.Total != 3 {
			t.Errorf("%+v", tick)
		}
	}
	for i, tick := range sent[1:] {
		if d := tick.Period.Time().Sub(sent[i].Period.Time()); d != time.Second {
			t.Errorf("%s between two ticks", d)
		}
	}
}

func TestRunner_CatchesUpWhatWasMissedOrSaysSo(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(3))
	r, s := m.runner("cron: 0 * * * *\ncatch_up: 90m\noverlap: beside\nlist: list.csv")
	now := time.Now()
	due := s.Clock.between(now.Add(-4*time.Hour), now)
	if err := m.rdb.HSet(t.Context(), "handout:{schedule:nightly}", "seen", now.Add(-4*time.Hour).Unix()).Err(); err != nil {
		t.Fatal(err)
	}
	m.start(r)
	missed := 0
	for _, at := range due {
		p := PeriodOf(at)
		if now.Sub(at) > 89*time.Minute && now.Sub(at) < 91*time.Minute {
			continue // it may be the one or the other
		}
		want := Running
		if now.Sub(at) > 90*time.Minute {
			want = Missed
			missed++
		}
		m.await(string(p)+" is "+string(want), func() bool { return m.tick(p).State == want })
		if note := m.tick(p).Note; want == Running && now.Sub(at) > time.Minute && !strings.HasPrefix(note, "caught up, ") {
			t.Errorf("%s: %q", p, note)
		}
		if reason := m.tick(p).Reason; want == Missed && !strings.Contains(reason, "over catch_up (1 h 30 min)") {
			t.Errorf("%s: %q", p, reason)
		}
	}
	if n := counted(t, r.metrics.ticks.WithLabelValues("nightly", "missed")); int(n) < missed || missed < 2 {
		t.Errorf("%v counted of %d missed", n, missed)
	}
	if !strings.Contains(m.log.String(), `level=WARN msg="tick missed" schedule=nightly`) {
		t.Error(m.log)
	}
}

func TestRunner_NewSchedulesBeginNow(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	r, _ := m.runner("cron: '* * * * *'\nlist: list.csv\ncatch_up: 24h")
	r.scan(t.Context())
	seen, err := r.store.seen(t.Context(), "nightly")
	if err != nil || time.Since(seen) > time.Minute || len(m.ticks()) != 0 {
		t.Errorf("seen %s, %v, %d ticks", seen, err, len(m.ticks()))
	}
}

func TestRunner_OverlapIsAsConfigured(t *testing.T) {
	t.Parallel()
	for overlap, want := range map[overlap]State{overlapWait: Waiting, overlapSkip: Skipped, overlapBeside: Running} {
		t.Run(string(overlap), func(t *testing.T) {
			t.Parallel()
			m := newRoom(t)
			m.write("list.csv", people(3))
			r, s := m.runner(never + "list: list.csv\noverlap: " + string(overlap))
			m.byHand(r, s, monday, Hand{By: "ann"}) // no worker runs
			if err := r.store.put(t.Context(), "nightly", &Tick{Period: tuesday, State: Waiting, Attempt: 1, At: time.Now()}, 0); err != nil {
				t.Fatal(err)
			}
			m.start(r)
			m.await("the second tick is judged", func() bool {
				tick := m.tick(tuesday)
				return tick.State == want && (tick.Campaign != "" || tick.Reason != "")
			})
			if want == Waiting {
				if got := m.tick(tuesday).Reason; got != "waits for nightly:2026-11-23T02:00Z" {
					t.Error(got)
				}
				m.end("nightly-20261123t0200z")
				m.await("it is done, and the next one runs", func() bool { return m.tick(monday).State == Done && m.tick(tuesday).Campaign != "" })
				if got := m.tick(monday).Outcome; got["planned"] != 3 || len(got) != 1 {
					t.Errorf("%v", got)
				}
			}
			if want == Skipped && m.tick(tuesday).Reason != "nightly:2026-11-23T02:00Z isn't done" {
				t.Error(m.tick(tuesday).Reason)
			}
		})
	}
}

// died leaves a tick as a scheduler does that is killed in the middle of it.
func (m *room) died(p Period, attempt int) {
	m.t.Helper()
	err := NewStore(m.rdb).put(m.t.Context(), "nightly", &Tick{Period: p, State: Running, Attempt: attempt, Owner: "dead", At: time.Now().UTC(), raw: m.tick(p).raw}, 0)
	if err != nil {
		m.t.Fatal(err)
	}
}

func TestRunner_ARerunWithAnotherListLeavesTheCampaignThatStands(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]string{
		"another list":  "cat $FOLDER/other.csv",
		"a failure":     "exit 3",
		"the same list": "cat $FOLDER/list.csv",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newRoom(t)
			m.write("list.csv", people(3))
			m.write("other.csv", people(4))
			m.write("make.sh", "#!/bin/sh\nif [ -e $FOLDER/again ]; then "+second+"; else touch $FOLDER/again; cat $FOLDER/list.csv; fi\n")
			r, s := m.runner(never + `command: [sh, -c, "$FOLDER/make.sh"]`)
			if tick := m.byHand(r, s, monday, Hand{By: "ann"}); tick.Total != 3 {
				t.Fatalf("%+v", tick)
			}
			m.died(monday, 1) // after the commit, before it was written down
			m.start(r)
			m.await("it is taken over", func() bool { return m.tick(monday).Campaign != "" })
			tick := m.tick(monday)
			if tick.State != Running || tick.Total != 3 || tick.Attempt != 2 {
				t.Errorf("%+v", tick)
			}
			want := map[string]string{
				"another list":  "the campaign was there already, and stays as it is; read again: the list, or the campaign file, has other content",
				"a failure":     "the campaign was there already, and stays as it is; read again: read sh: the program failed: exit status 3",
				"the same list": "",
			}[name]
			if tick.Note != want {
				t.Errorf("%q", tick.Note)
			}
			info, err := r.ledger.Info(t.Context(), tick.Campaign)
			if err != nil || info.Total != 3 || len(m.campaigns()) != 1 {
				t.Errorf("%+v, %v, %v", info, err, m.campaigns())
			}
		})
	}
}

func TestRunner_LeavesATickThatSomeoneHas(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	r, s := m.runner(never + "list: list.csv")
	m.died(monday, 1)
	if mine, err := r.store.lease(t.Context(), "nightly", monday, "other", time.Minute); err != nil || !mine {
		t.Fatal(mine, err)
	}
	r.scan(t.Context())
	if tick := m.tick(monday); tick.State != Running || tick.Owner != "dead" {
		t.Errorf("%+v", tick)
	}
	if _, err := r.ByHand(t.Context(), s, monday, Hand{By: "ann"}); err != ErrBusy {
		t.Error(err)
	}
}

func TestRunner_GivesUpOnATickThatKillsItsSchedulers(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	r, _ := m.runner(never + "list: list.csv")
	m.died(monday, maxAttempts)
	r.scan(t.Context())
	if tick := m.tick(monday); tick.State != Refused || !strings.Contains(tick.Reason, "begun 10 times") {
		t.Errorf("%+v", tick)
	}
}

func TestRunner_StopsAtOnceAndAnotherGoesOn(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(3))
	const keys = never + `command: [sh, -c, "if [ -e $FOLDER/ready ]; then cat $FOLDER/list.csv; else touch $FOLDER/begun; sleep 600; fi"]`
	r, _ := m.runner(keys)
	if err := r.store.put(t.Context(), "nightly", &Tick{Period: monday, State: Waiting, Attempt: 1, At: time.Now()}, 0); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.await("the program runs", func() bool { _, err := m.stat("begun"); return err == nil })
	began := time.Now()
	r.Stop()
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %s to stop", d)
	}
	if tick := m.tick(monday); tick.State != Waiting || tick.Reason != "interrupted, and begun again soon" || tick.Attempt != 1 {
		t.Errorf("%+v", tick)
	}
	m.write("ready", "")
	other, _ := m.runner(keys)
	m.start(other)
	m.await("another one does it", func() bool { return m.tick(monday).Total == 3 })
}

func TestRunner_AFlushedOrArchivedNoteIsWrittenAgain(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(3))
	r, _ := m.runner(never + "list: list.csv")
	tick := &Tick{Period: monday, State: Waiting, Attempt: 1, At: time.Now().Add(-time.Minute)}
	if err := r.store.put(t.Context(), "nightly", tick, 0); err != nil {
		t.Fatal(err)
	}
	r.scan(t.Context())
	key := "asynq:{handout:" + tasks.QueueSchedule + "}:"
	id := tasks.TickID("nightly", string(monday), 1)
	// As the queue's pages archive it.
	for _, err := range []error{
		m.rdb.LRem(t.Context(), key+"pending", 0, id).Err(),
		m.rdb.HSet(t.Context(), key+"t:"+id, "state", "archived").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.scan(t.Context())
	if got := m.rdb.LRange(t.Context(), key+"pending", 0, -1).Val(); len(got) != 1 || got[0] != id {
		t.Errorf("%q", got)
	}
	m.rdb.Del(t.Context(), key+"pending", key+"t:"+id)
	m.start(r)
	m.await("it is done", func() bool { return m.tick(monday).Total == 3 })
}

func TestStore_KeepsAHundredTicksAndAllThatArentOver(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	store := NewStore(m.rdb)
	for i := range 130 {
		tick := &Tick{Period: Period("2026-11-23T02:" + strconv.Itoa(100+i)), State: Done}
		if i == 3 {
			tick.State = Waiting
		}
		if err := store.put(t.Context(), "nightly", tick, 0); err != nil {
			t.Fatal(err)
		}
	}
	all := m.ticks()
	if len(all) != 100 || all[0].State != Waiting || all[1].Period != "2026-11-23T02:131" {
		t.Errorf("%d ticks, %+v %+v", len(all), all[0], all[1])
	}
	old := *all[5]
	if err := store.put(t.Context(), "nightly", all[5], 0); err != nil {
		t.Fatal(err)
	}
	old.raw, old.State = "{}", Refused
	if err := store.put(t.Context(), "nightly", &old, 0); err != errChanged {
		t.Error(err)
	}
}

func TestRunner_WithoutRightsOnItsQueueAsksRedisSeldom(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(1))
	r, _ := m.runner(never + "list: " + m.folder + "/list.csv")
	if err := m.rdb.Do(t.Context(), "acl", "setuser", "default", "resetkeys", "~handout:*").Err(); err != nil {
		t.Fatal(err)
	}
	m.start(r)
	m.redis.CallsFewScripts()
}
