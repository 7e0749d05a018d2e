package search_test

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
)

// What must hold after each step. The headline of each is a fault's name.
const (
	sentTwice     = "sent twice"
	wrongPerson   = "sent to who isn't in the list"
	overRate      = "over the account's rate"
	overOwnRate   = "over the campaign's own rate"
	whileStopped  = "sent while paused or canceled"
	whileClosed   = "sent outside the hours"
	suppressedToo = "sent to a suppressed number"
	open          = "the balance doesn't close"
	settledUnsent = "settled who was never sent to"
	notTaken      = "a receipt isn't taken"
	keyTwice      = "a one-off send's key is good twice"
	gaveUp        = "given up for a 429"
	flood         = "more tasks than the window"
	eaten         = "another application's task is gone"
	unsettled     = "not settled in time"
	held          = "held again by a receipt of before the resume"
	hanging       = "something hangs for good"

	// restored stands behind a headline in a walk in which Redis was restored: what
	// a restore takes away may have a second life under the same name.
	restored = " after a restore"
)

// second is the window of a rate, less what slots are rounded by.
const second = time.Second - 5*time.Millisecond

// grace is for how long a request may still leave that was under way: a claim runs
// ahead of its slot by a second at most.
const grace = 1100 * time.Millisecond

// check says what is wrong now.
func (w *world) check() {
	w.checkPosts()
	for _, s := range w.campaigns {
		w.checkCampaign(s)
	}
	w.checkQueues()
}

// split reads the campaign and the index out of an external ID, whatever else
// stands in it.
func split(externalID string) (id campaign.ID, place string) {
	f := strings.Split(externalID, ".")
	if len(f) < 4 {
		return "", ""
	}
	return campaign.ID(f[0]), f[len(f)-3] + "." + f[len(f)-2]
}

func (w *world) checkPosts() {
	v := w.vendor
	v.mu.Lock()
	defer v.mu.Unlock()
	took, doubts := map[string]int{}, map[string]int{}
	for _, m := range v.posts {
		if m.answer.takes() {
			took[m.phone]++
		}
		if m.answer != accepts && m.answer != acceptsLate {
			doubts[m.phone]++
		}
	}
	for i, m := range v.posts {
		if m.checked {
			continue
		}
		m.checked = true
		id, place := split(m.externalID)
		s := w.campaigns[id]
		at, ok := campaign.ParsePlace(place)
		if s == nil || !ok || at.Position() >= len(s.phones) || s.phones[at.Position()] != m.phone {
			if !m.at.Before(w.restored.Add(grace)) { // else claimed before the restore, of what it took away
				w.wrong(w.life(wrongPerson), "%s to %s", m.externalID, m.phone)
			}
			continue
		}
		if n := took[m.phone] - w.taken[m.phone] - w.asked[m.phone]; m.answer.takes() && n > 1 && !(s.resends && doubts[m.phone] > 0) {
			w.wrong(w.life(sentTwice), "%s has the message %d times, and %d were asked for", m.phone, took[m.phone], 1+w.asked[m.phone])
		}
		if !s.stopped.IsZero() && m.at.After(s.stopped.Add(grace)) && (s.startAt.IsZero() || m.at.Before(s.startAt)) {
			w.wrong(w.life(whileStopped), "%s, %s after", m.externalID, m.at.Sub(s.stopped))
		}
		if h := m.at.Hour(); s.hours && (h < 9 || h >= 20) {
			w.wrong(w.life(whileClosed), "%s at %s", m.externalID, m.at.Format(time.TimeOnly))
		}
		if since, ok := w.stops[m.phone]; ok && m.at.After(since.Add(grace)) {
			w.wrong(suppressedToo, "%s, %s after", m.phone, m.at.Sub(since))
		}
		all, own := 0, 0
		for _, o := range v.posts[:i+1] {
			if o.at.Add(second).After(m.at) {
				all++
				if other, _ := split(o.externalID); other == id && o.at.After(s.rated.Add(time.Second)) {
					own++
				}
			}
		}
		if all > rate {
			headline := overRate
			if m.at.Before(w.restored.Add(2 * time.Second)) {
				headline += restored
			}
			w.wrong(headline, "%d in a second, the account's rate is %d", all, rate)
		}
		// One more: the wait for the account's slot comes after that for the own one.
		if s.rate > 0 && float64(own) > max(1, s.rate)+1 {
			w.wrong(overOwnRate, "%d of campaign %s in a second, its rate is %v", own, id, s.rate)
		}
	}
}

// life is a headline for what an earlier life of a campaign may have done.
func (w *world) life(headline string) string {
	if w.restored.IsZero() {
		return headline
	}
	return headline + restored
}

func (w *world) checkCampaign(s *submitted) {
	info, err := w.ledger.Info(w.ctx, s.id)
	w.must(err)
	if info.Gone() != nil {
		s.purged = true
		return
	}
	v, err := w.ledger.Verify(w.ctx, info, nil)
	w.must(err)
	for _, f := range v.Faults {
		w.wrong(w.life(open), "campaign %s: %s", s.id, f)
	}
	w.peopleOf(s, func(p campaign.Place, r campaign.Recipient, rec campaign.Record) {
		last := w.lastPost(r.Phone)
		switch rec.State {
		case campaign.Accepted, campaign.Delivered, campaign.Failed, campaign.Unconfirmed:
			if last == nil {
				w.wrong(w.life(settledUnsent), "campaign %s, %s is %s", s.id, p, rec.State)
			}
		case campaign.Refused:
			if last != nil && (last.answer == throttles || last.answer == waits) {
				w.wrong(gaveUp, "campaign %s, %s is %s (%s)", s.id, p, rec.State, rec.Reason)
			}
		}
	})
}

// lastPost is the latest that reached the vendor for a phone.
func (w *world) lastPost(phone string) *message {
	for _, m := range slices.Backward(w.vendor.posts) {
		if m.phone == phone {
			return m
		}
	}
	return nil
}

// checkQueues counts tasks, and keeps them to be run again.
func (w *world) checkQueues() {
	queues, err := w.queues.Queues()
	w.must(err)
	waiting := map[campaign.ID]int{}
	for _, q := range queues {
		for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
			w.queues.ListPendingTasks, w.queues.ListActiveTasks, w.queues.ListScheduledTasks, w.queues.ListRetryTasks,
		} {
			all, err := list(q, asynq.PageSize(1000))
			if errors.Is(err, asynq.ErrQueueNotFound) {
				continue
			}
			w.must(err)
			for _, t := range all {
				if !w.seen[t.ID] && t.Type != "email:welcome" && len(w.old) < 20 {
					w.seen[t.ID] = true
					w.old = append(w.old, oldTask{q, t.Type, t.Payload})
				}
				if t.Type == tasks.TypeSend && t.State == asynq.TaskStatePending {
					if s, err := tasks.ParseSend(t.Payload); err == nil {
						waiting[s.Campaign] += s.Count
					}
				}
			}
		}
	}
	for id, n := range waiting {
		// Twice: those that got lost may be written again beside the window.
		if s := w.campaigns[id]; s != nil && !s.standing && n > 2*window {
			w.wrong(w.life(flood), "%d of campaign %s wait in the queue, its window is %d", n, id, window)
		}
	}
	for name := range w.ours {
		q, id, _ := strings.Cut(name, "/")
		if t, err := w.queues.GetTaskInfo(q, id); err != nil || t.State == asynq.TaskStateArchived {
			w.wrong(eaten, "it stood in queue %s", q)
		}
	}
}

// bound is how long everything may take once the faults have stopped: tasks of a
// worker that was killed come again within a minute, its claims are in doubt after
// the time-out and 35 s, a page that it looked at is looked at again after one more
// minute.
const bound = 4 * time.Minute

// calm stops all faults, resumes what is stopped, has the vendor say what became
// of each message, and expects that everyone is settled within the bound.
func (w *world) calm() {
	w.say("the faults stop")
	w.vendor.mu.Lock()
	w.vendor.script = nil
	w.vendor.mu.Unlock()
	for _, c := range w.working() {
		c.process.doom.Store(-1)
	}
	if now := time.Now(); now.Hour() < 10 || now.Hour() >= 19 {
		w.rest(now.Add(14 * time.Hour).Truncate(24 * time.Hour).Add(10 * time.Hour).Sub(now)) // to the next 10:00
	}
	w.say("a new worker starts")
	w.work()
	w.resumeAll()
	past := len(w.vendor.taken)
	began := time.Now()
	for at := began; ; {
		for i, m := range w.vendor.taken {
			if m.final || m.at.After(time.Now().Add(-time.Second)) {
				continue
			}
			what := "delivered by SMS"
			if i < past && m.at.Before(w.poor) {
				what = "out of money" // it was sent while there was none
			}
			w.tell(m, what, true)
		}
		rest, why := w.unsettled()
		if rest == "" {
			break
		}
		limit := bound
		for _, s := range w.campaigns {
			if s.rate > 0 {
				limit += time.Duration(float64(len(s.phones)) / s.rate * float64(time.Second))
			}
		}
		if time.Since(began) > limit {
			w.wrong(why, "%s later: %s", time.Since(began), rest)
			break
		}
		at = at.Add(2 * time.Second)
		w.pass(2 * time.Second)
	}
	w.check()
}

func (w *world) resumeAll() {
	for _, s := range w.campaigns {
		stands, err := w.ops.Standing(w.ctx, s.id)
		w.must(err)
		if p := stands.Info.Phase; p == campaign.Paused || p == campaign.Held {
			err := w.ops.Resume(w.ctx, stands, ann)
			w.say("resume %s, which is %s%s", s.id, stands, refused(err))
			if err == nil {
				s.stopped, s.startAt, s.resumed = time.Time{}, time.Time{}, true
			}
		}
	}
}

// unsettled is who isn't settled yet; empty when all are.
func (w *world) unsettled() (rest, why string) {
	for _, s := range w.campaigns {
		stands, err := w.ops.Standing(w.ctx, s.id)
		w.must(err)
		if stands.Info.Gone() != nil {
			continue
		}
		b := stands.Balance
		for _, state := range []campaign.State{campaign.Planned, campaign.Claimed, campaign.Retrying, campaign.Accepted} {
			if n := b.Of(state); n > 0 {
				why = w.life(unsettled)
				if stands.Info.Phase == campaign.Held {
					if s.resumed && strings.Contains(stands.Info.Reason, "3073") {
						return "campaign " + string(s.id) + " is " + stands.String(), held
					}
					w.resumeAll()
				}
				rest = strings.TrimPrefix(rest+", ", ", ") + string(s.id) + " (" + stands.String() + "): " + state.String()
			}
		}
	}
	return rest, why
}
