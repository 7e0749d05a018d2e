package search_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
)

func (w *world) submit() {
	id := draw(w, names...)
	n := draw(w, 1, 3, 12, 25)
	first := draw(w, 0, 2)
	s := &submitted{
		id: id, resends: draw(w, false, false, true), hours: draw(w, false, false, true),
		rate: draw(w, 0, 0, 2.0, 0.2),
	}
	spec := campaign.Spec{
		ID: id, MessageType: "MKT", Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold, Rate: s.rate, MaxFailureRate: 1,
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 60, Template: "text", Parameters: map[string]string{"text": "Hello"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello"}},
		},
	}
	if s.resends {
		spec.OnDoubt = campaign.DoubtResend
	}
	if s.hours {
		spec.Hours, spec.UnknownZone = &campaign.Hours{From: "09:00", To: "20:00", Zone: "UTC"}, ""
	}
	if draw(w, campaign.LaneBulk, campaign.LaneBulk, campaign.LaneUrgent) == campaign.LaneUrgent {
		spec.Lane = campaign.LaneUrgent
	}
	f, err := producer.NewFile(spec)
	w.must(err)
	rows := func(yield func(producer.Row, error) bool) {
		for i := range n {
			if !yield(producer.Row{Recipient: fmt.Sprintf("p%d", first+i), Phone: phone(id, first+i)}, nil) {
				return
			}
		}
	}
	for i := range n {
		s.phones = append(s.phones, phone(id, first+i))
	}
	begin := campaign.Beginning{By: ann, Hold: draw(w, "at once", "at once", "held") == "held"}
	r, err := w.ops.Submit(w.ctx, &operations.Submission{File: f, List: producer.ListRows(nil, rows), Begin: begin})
	w.say("submit %s: %d people from person %d on, %s, on_doubt %s, rate %v, hours %v, held %v%s", id, n, first, spec.Lane, spec.OnDoubt, s.rate, s.hours, begin.Hold, refused(err))
	if err == nil && !r.Already {
		s.rated = time.Now()
		if begin.Hold {
			s.stopped = time.Now()
		}
		w.campaigns[id] = s
	}
}

func refused(err error) string {
	if err != nil {
		return ": refused: " + err.Error()
	}
	return ""
}

func (w *world) steer(verb string) {
	s := w.one()
	stands, err := w.ops.Standing(w.ctx, s.id)
	w.must(err)
	about := ""
	switch verb {
	case "pause":
		if err = w.ops.Pause(w.ctx, stands, ann); err == nil {
			s.stopped, s.startAt = time.Now(), time.Time{}
		}
	case "resume":
		if err = w.ops.Resume(w.ctx, stands, ann); err == nil {
			s.stopped, s.startAt = time.Time{}, time.Time{}
		}
	case "cancel":
		if err = w.ops.Cancel(w.ctx, stands, ann); err == nil {
			s.stopped, s.startAt = time.Now(), time.Time{}
		}
	case "reschedule":
		at := time.Now().Add(draw(w, 2*time.Second, 30*time.Second, 8*time.Hour))
		about = " to " + at.Format("15:04:05")
		if err = w.ops.Reschedule(w.ctx, stands, at, true, ann); err == nil {
			s.stopped, s.startAt = time.Now(), at
		}
	case "purge":
		if err = w.ops.Purge(w.ctx, stands, ann, nil); err == nil {
			s.purged = true
		}
	case "rate":
		to := draw(w, 0.5, 3, 20)
		about = fmt.Sprintf(" to %v", to)
		if err = w.ops.SetRate(w.ctx, stands, to, ann); err == nil {
			s.rate, s.rated = to, time.Now()
		}
	}
	w.say("%s %s%s%s", verb, s.id, about, refused(err))
}

// peopleOf are those of a campaign, with their records.
func (w *world) peopleOf(s *submitted, yield func(campaign.Place, campaign.Recipient, campaign.Record)) {
	info, err := w.ledger.Info(w.ctx, s.id)
	w.must(err)
	if info.Gone() != nil {
		s.purged = true
		return
	}
	w.must(w.ledger.EachPage(w.ctx, info, func(p *ledger.Page) error {
		for i, r := range p.Recipients {
			yield(campaign.Place{Page: p.Number, Index: i}, r, p.Record(i))
		}
		return nil
	}))
}

func (w *world) retry() {
	s := w.one()
	by := map[campaign.State][]string{}
	w.peopleOf(s, func(_ campaign.Place, r campaign.Recipient, rec campaign.Record) {
		by[rec.State] = append(by[rec.State], r.Phone)
	})
	var states []campaign.State
	for _, state := range operations.Retryable() {
		if len(by[state]) > 0 {
			states = append(states, state)
		}
	}
	if len(states) == 0 {
		w.skip()
	}
	state := draw(w, states...)
	phones := by[state]
	selected, err := w.ops.Select(w.ctx, s.id, operations.VerbResend, state)
	n := 0
	if err == nil {
		n, err = w.ops.DecideAll(w.ctx, selected, ann, nil)
	}
	w.say("retry %s --only %s: %d of %d%s", s.id, state, n, len(phones), refused(err))
	for _, p := range phones {
		w.asked[p]++
	}
}

func (w *world) decide(v operations.Verb) {
	s := w.one()
	i := w.pick(len(s.phones))
	p, err := w.ops.PersonAt(w.ctx, s.id, campaign.PlaceOf(i))
	if err == nil {
		if v == operations.VerbResend {
			w.asked[s.phones[i]]++
		}
		err = w.ops.Decide(w.ctx, p, v, ann)
	}
	w.say("%s %s, person %d%s", v, s.id, i, refused(err))
}

// oneOff sends to one person, or makes an earlier send again.
func (w *world) oneOff() {
	n := draw(w, 0, 1, 2, 3)
	key := fmt.Sprintf("key %d", n)
	number := fmt.Sprintf("+417909%05d", n)
	sent, err := w.ops.Send(w.ctx, producer.OneOff{
		Key: key, Recipient: key, Phone: number, MessageType: "ARN",
		Channels: []producer.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "hi"}}},
	})
	if err != nil {
		w.say("one-off send by %q: %s", key, refused(err))
		return
	}
	w.say("one-off send by %q: %s %s, already %v", key, sent.Campaign, sent.Place, sent.Already)
	if first, known := w.keys[key]; !known || sent.Already {
		if !known {
			w.keys[key] = time.Now()
		}
	} else if days(first, time.Now()) <= 1 {
		w.wrong(keyTwice, "%q, first used at %s", key, first.Format(time.DateTime))
	} else { // a key is kept that day and the next
		w.keys[key] = time.Now()
		w.asked[number]++
	}
	s := w.campaigns[sent.Campaign]
	if s == nil {
		s = &submitted{id: sent.Campaign, standing: true}
		w.campaigns[sent.Campaign] = s
	}
	for len(s.phones) <= sent.Place.Index {
		s.phones = append(s.phones, "")
	}
	s.phones[sent.Place.Index] = number
}

// days are those between two times, by the calendar.
func days(a, b time.Time) int {
	return int(b.Truncate(24*time.Hour).Sub(a.Truncate(24*time.Hour)) / (24 * time.Hour))
}

func (w *world) answer() {
	n := draw(w, 1, 1, 2, 12)
	a := draw(w, answers...)
	w.vendor.mu.Lock()
	for range n {
		w.vendor.script = append(w.vendor.script, a)
	}
	w.vendor.mu.Unlock()
	w.say("from now, %d times: the vendor %s", n, a)
}

// receipt brings a receipt for something that the vendor has taken, however old.
func (w *world) receipt() {
	if len(w.vendor.taken) == 0 {
		w.skip()
	}
	m := draw(w, w.vendor.taken...)
	what := draw(w, slices.Sorted(maps.Keys(outcomes))...)
	named := draw(w, true, true, false)
	if what == "out of money" {
		w.poor = time.Now()
	}
	w.tell(m, what, named)
}

// receipts brings one for all that is out.
func (w *world) receipts() {
	what := draw(w, "delivered by WhatsApp", "failed")
	n := 0
	for _, m := range w.vendor.taken {
		if !m.final {
			w.tell(m, what, true)
			n++
		}
	}
	if n == 0 {
		w.skip()
	}
}

func (w *world) tell(m *message, what string, named bool) {
	externalID := ""
	if named {
		externalID = m.externalID
	}
	if what != "in progress" {
		m.final, m.told = true, time.Now()
	}
	body, err := outcomes[what].receipt(m.reference, externalID)
	w.must(err)
	status, err := call(w.hears, body)
	w.must(err)
	w.say("receipt for %s (our ID in it: %v): %s; answered %d", m.externalID, named, what, status)
	if status != 200 {
		w.wrong(w.life(notTaken), "%d", status)
	}
}

// foreign brings a receipt of another installation on the account: for what we
// never sent.
func (w *world) foreign() {
	s := w.one()
	i := w.pick(len(s.phones))
	attempt := draw(w, 1, 2)
	what := draw(w, slices.Sorted(maps.Keys(outcomes))...)
	externalID := fmt.Sprintf("%s.0.%d.%d", s.id, i, attempt)
	for _, m := range w.vendor.posts {
		if m.externalID == externalID {
			w.skip()
		}
	}
	body, err := outcomes[what].receipt(fmt.Sprintf("%032X", 0xF000_0000_0000+i), externalID)
	w.must(err)
	status, err := call(w.hears, body)
	w.must(err)
	w.say("receipt of another installation for %s: %s; answered %d", externalID, what, status)
}

func (w *world) inbound(action string) {
	s := w.one()
	i := w.pick(len(s.phones))
	number := s.phones[i]
	at := stamp()
	body, err := json.Marshal(map[string]any{
		"reference_id": fmt.Sprintf("%032X", 0xE000_0000_0000+len(w.story)), "sub_resource": "mo_sms", "errors": map[string]any{}, "submit_timestamp": at,
		"status": map[string]any{"code": telesign.CodeInbound, "description": "", "updated_on": at},
		"user_response": map[string]any{
			"sender_id": "55555", "iso_country_code": "US", "action": strings.ToLower(action), "keyword": action,
			"phone_number": strings.TrimPrefix(number, "+"), "mo_message": action, "price": nil,
		},
	})
	w.must(err)
	status, err := call(w.hears, body)
	w.must(err)
	w.say("%s by %s (person %d of %s); answered %d", action, number, i, s.id, status)
	if action == "STOP" {
		if _, ok := w.stops[number]; !ok {
			w.stops[number] = time.Now()
		}
	} else {
		delete(w.stops, number)
	}
}
