package process_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/templates/cache"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/redistest"
)

// past is a ledger after some busy days, for pages to show: campaigns in every
// state, and people with every outcome. Nothing in it is left to chance, and it
// is written as workers, listeners and people write it, only earlier.
type past struct {
	t            testing.TB
	rdb          *redis.Client
	ledger       *ledger.Ledger
	suppressions *suppression.List
	now          time.Time
}

// Its campaigns, the newest first.
const (
	goesOn    = "order-history-2026-11"
	heldBack  = "price-list-winter"
	putOff    = "loyalty-cards"
	inDoubts  = "invoices-2026-10"
	finished  = "spring-catalogue"
	brokenOff = "summer-sale"
	emptied   = "newsletter-2026-07"
)

// olga is who steers.
func olga(why string) campaign.Actor { return campaign.Actor{Name: "olga", Why: why} }

// fill writes such a past.
func fill(t testing.TB, server *redistest.Server) {
	t.Helper()
	rdb := server.Client()
	p := &past{t: t, rdb: rdb, ledger: ledger.New(rdb), suppressions: suppression.New(rdb), now: time.Now().Truncate(time.Second)}

	info := p.submit(emptied, numbers(40, anyone), 100*24*time.Hour, 10*time.Minute, "", campaign.Beginning{})
	p.play(info, 40, 10, 0)
	p.end(emptied, 99*24*time.Hour)
	info, err := p.ledger.Info(t.Context(), emptied)
	p.do(err)
	p.do(p.ledger.Purge(t.Context(), info, campaign.Machine("its retention of 90 days is over"), p.ago(9*24*time.Hour), nil))

	info = p.submit(brokenOff, numbers(900, anyone), 72*time.Hour, 10*time.Minute, "", campaign.Beginning{})
	p.play(info, 250, 10, 0)
	p.do(p.ledger.Pause(t.Context(), brokenOff, olga("a customer called: the prices are last year's"), p.ago(71*time.Hour)))
	p.do(p.ledger.Cancel(t.Context(), brokenOff, olga("wrong price list"), p.ago(70*time.Hour)))
	for i := 250; i < 900; i++ {
		p.apply(info, i, nil, campaign.Event{Kind: campaign.EventCancel, At: p.ago(70 * time.Hour)})
	}
	p.end(brokenOff, 68*time.Hour)

	info = p.submit(finished, numbers(1200, anyone), 26*time.Hour, 10*time.Minute, "", campaign.Beginning{})
	p.play(info, 1200, 1, time.Minute)
	p.end(finished, 22*time.Hour)

	info = p.submit(inDoubts, numbers(200, anyone), 5*time.Hour, 10*time.Minute, "", campaign.Beginning{})
	p.play(info, 200, 10, 0)
	p.end(inDoubts, 1*time.Hour)

	hours := "hours: {from: \"09:00\", to: \"20:00\", days: [mon, tue, wed, thu, fri], zone: recipient}\ncanary: 50\n"
	p.submit(putOff, numbers(600, anyone), 2*time.Hour, 10*time.Minute, hours, campaign.Beginning{StartAt: p.now.Add(17 * time.Hour).Truncate(time.Hour)})

	info = p.submit(heldBack, numbers(800, anyone), 50*time.Minute, 10*time.Minute, "", campaign.Beginning{})
	p.play(info, 120, 10, 0)
	p.do(p.ledger.Hold(t.Context(), heldBack, "Telesign: 3206 Omnichannel Product not enabled for Customer ID", p.ago(49*time.Minute)))

	p.now = time.Now().Truncate(time.Second) // it goes on at this moment, too
	info = p.submit(goesOn, numbers(3000, anyone), 4*time.Minute, 50*time.Second, "rate: 20\n", campaign.Beginning{})
	p.do(p.ledger.Note(t.Context(), goesOn, olga("the shop's evening"), p.ago(3*time.Minute), "rate set", "10 messages/s"))
	p.play(info, 2900, 10, 5*time.Second)

	p.do(cache.Write(t.Context(), rdb, "default", cache.Listed{At: p.now, Templates: []telesign.Template{
		{
			TemplateName: telesign.TemplateName{Channel: "whatsapp", Name: "order_ready"}, Type: "verified", Category: "utility",
			Language: "en_US", Status: "Approved", MandatoryParameters: []string{"header_url", "body_text_1", "body_text_2"},
		},
		{TemplateName: telesign.TemplateName{Channel: "whatsapp", Name: "winter_prices"}, Type: "verified", Category: "marketing", Language: "de", Status: "Rejected"},
		{TemplateName: telesign.TemplateName{Channel: "sms", Name: "order_text"}, Type: "standard", Status: "Approved", MandatoryParameters: []string{"body_text_1"}},
	}}))
	for i, why := range []suppression.Entry{
		{Why: suppression.WhyStop, Campaign: finished}, {Why: suppression.WhyBlocked, Campaign: finished}, {Why: suppression.WhyStop, Campaign: inDoubts},
		{Why: suppression.WhyHand, By: "olga", Note: "asked by letter"}, {Why: suppression.WhyHand, By: "shop", Note: "account closed"},
	} {
		why.At = p.ago(time.Duration(3+20*i) * time.Hour)
		if _, err := p.suppressions.Add(t.Context(), "+1"+areas[i]+"5550162", why); err != nil {
			t.Fatal(err)
		}
	}
}

// anyone is a person with any story.
func anyone(int, int) bool { return true }

func (p *past) ago(d time.Duration) time.Time { return p.now.Add(-d) }

func (p *past) do(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// names are who is on the lists.
var names = strings.Fields("Ada Bruno Chiara Dmitri Elif Farid Greta Hugo Ines Jonas Kenji Lena Milan Nadia Oskar Priya Quentin Rosa Samir Tove Uma Vito Wanda Xenia Yusuf Zoe")

// listText is a list of people with these numbers.
func listText(phones []string) string {
	var b strings.Builder
	b.WriteString("recipient,phone,name,url\n")
	for i, phone := range phones {
		fmt.Fprintf(&b, "customer-%04d,%s,%s,https://files.example.com/orders/%04d.xlsx\n", i+1, phone, names[i*7%len(names)], i+1)
	}
	return b.String()
}

// submit opens a campaign some time ago.
func (p *past) submit(id string, phones []string, ago, fallback time.Duration, more string, begin campaign.Beginning) *campaign.Info {
	p.t.Helper()
	file, err := producer.ParseCampaign("", []byte(strings.ReplaceAll(campaignText(id), "10m", fallback.String())+more))
	p.do(err)
	begin.By = campaign.Actor{Name: "shop"}
	_, err = producer.New(p.rdb).Submit(p.t.Context(), file, producer.ListReader("list.csv", producer.CSV, strings.NewReader(listText(phones))),
		producer.SubmitOptions{Begin: begin})
	p.do(err)
	at, key, ctx := p.ago(ago), "handout:{"+id+"}:", p.t.Context()
	p.do(p.rdb.ZAdd(ctx, "handout:campaigns", redis.Z{Score: float64(at.UnixMilli()), Member: id}).Err())
	p.do(p.rdb.HSet(ctx, key+"meta", "created", at.UnixMilli()).Err())
	if begin.StartAt.IsZero() {
		p.do(p.rdb.HSet(ctx, key+"meta", "started", at.UnixMilli()).Err())
	}
	lines, err := p.ledger.History(ctx, campaign.ID(id))
	p.do(err)
	for i := range lines {
		lines[i].At = at
		text, err := json.Marshal(lines[i])
		p.do(err)
		p.do(p.rdb.LSet(ctx, key+"history", int64(i), text).Err())
	}
	info, err := p.ledger.Info(ctx, campaign.ID(id))
	p.do(err)
	return info
}

// end has a campaign be done since then.
func (p *past) end(id campaign.ID, ago time.Duration) {
	p.t.Helper()
	if err := p.ledger.Settle(p.t.Context(), id); err != nil {
		p.t.Fatal(err)
	}
	p.do(p.ledger.Finish(p.t.Context(), id, p.ago(ago)))
}

// dated is an event of one person's story.
type dated struct {
	index int
	campaign.Event
}

// play sends to the first people of a list at a rate per second, from when the
// campaign was created until now. It notes where the campaign stands every so
// often, unless that is 0.
func (p *past) play(info *campaign.Info, sent int, rate float64, every time.Duration) {
	p.t.Helper()
	var all []dated
	fallback := time.Duration(info.Spec.Channels[0].FallbackTime) * time.Second
	for i := range sent {
		began := info.CreatedAt.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		for _, e := range story(i, began, fallback) {
			all = append(all, dated{i, e})
		}
	}
	slices.SortStableFunc(all, func(a, b dated) int { return a.At.Compare(b.At) })
	if ok, err := p.ledger.Advance(p.t.Context(), info.ID, 0, []int{min(info.Total, sent+100)}, nil, p.now.Add(time.Hour)); err != nil || !ok {
		p.t.Fatal(ok, err)
	}
	seen, next := make(map[int]ledger.Seen), info.CreatedAt.Add(every)
	for _, e := range all {
		if e.At.After(time.Now()) {
			break // is yet to come
		}
		for ; every > 0 && e.At.After(next); next = next.Add(every) {
			p.sample(info.ID, next)
		}
		p.apply(info, e.index, seen, e.Event)
	}
	if every > 0 && !next.After(time.Now()) {
		p.sample(info.ID, next)
	}
}

func (p *past) apply(info *campaign.Info, index int, seen map[int]ledger.Seen, e campaign.Event) {
	p.t.Helper()
	s, err := p.ledger.Apply(p.t.Context(), info, campaign.PlaceOf(index), seen[index], e)
	p.do(err)
	if seen != nil {
		seen[index] = s
	}
}

// sample notes where a campaign stands, as if it were then: the ledger only does
// so by Redis's clock.
func (p *past) sample(id campaign.ID, at time.Time) {
	p.t.Helper()
	ctx, key := p.t.Context(), "handout:{"+string(id)+"}:samples"
	p.do(p.ledger.Sample(ctx, id))
	last, err := p.rdb.ZRange(ctx, key, -1, -1).Result()
	p.do(err)
	_, counts, _ := strings.Cut(last[0], ":")
	p.do(p.rdb.ZRem(ctx, key, last[0]).Err())
	slot := at.Unix() - at.Unix()%5
	p.do(p.rdb.ZAdd(ctx, key, redis.Z{Score: float64(slot), Member: fmt.Sprintf("%d:%s", slot, counts)}).Err())
}

// leg is what Telesign says of a channel.
func leg(channel string, rank campaign.Rank, code int) campaign.ChannelLeg {
	return campaign.ChannelLeg{Channel: channel, Leg: campaign.Leg{Rank: rank, Code: code}}
}

// story is what happens to person i of a list.
func story(i int, began time.Time, fallback time.Duration) []campaign.Event {
	reference := fmt.Sprintf("%032X", (i+1)*0x5bd1e995)
	claim := campaign.Event{Kind: campaign.EventClaim, Claim: 7, At: began}
	after := func(took time.Duration, e campaign.Event) campaign.Event {
		e.Attempt, e.At = 1, began.Add(took)
		return e
	}
	receipt := func(took time.Duration, status campaign.ChannelLeg, legs ...campaign.ChannelLeg) campaign.Event {
		return after(took, campaign.Event{
			Kind: campaign.EventReceipt, Reference: reference, Legs: legs, Status: status.Leg, Final: status.Rank == campaign.RankFailed,
		})
	}
	accept := after(0, campaign.Event{Kind: campaign.EventAccept, Reference: reference, Code: 3001, DueAt: began.Add(2 * time.Hour)})
	over := campaign.Event{Kind: campaign.EventOverdue, At: began.Add(2 * time.Hour)}
	done, lost := leg("", campaign.RankDelivered, 3000), leg("", campaign.RankFailed, 3003)
	// WhatsApp is quick with most, and slow with some.
	most := float64(fallback-4*time.Second) / float64(2*time.Second)
	soon := time.Duration(float64(2*time.Second) * math.Pow(most, float64(i*37%101)/101)).Truncate(time.Second)
	late := fallback + time.Duration(4+i*13%23)*time.Second
	whatsApp, sms := leg("whatsapp", campaign.RankDelivered, 3000), leg("sms", campaign.RankDelivered, 3000)
	slow, absent := leg("whatsapp", campaign.RankFailed, 3056), leg("whatsapp", campaign.RankFailed, 3055)
	switch n := i * 29 % 100; {
	case n < 52:
		return []campaign.Event{claim, accept, receipt(soon, done, whatsApp)}
	case n < 72:
		return []campaign.Event{claim, accept, receipt(soon, done, whatsApp), receipt(soon+30*time.Second, done, leg("whatsapp", campaign.RankRead, 3005))}
	case n < 81:
		return []campaign.Event{claim, accept, receipt(late, done, slow, sms)}
	case n < 88:
		return []campaign.Event{claim, accept, receipt(5*time.Second, done, absent, sms)}
	case n < 90:
		return []campaign.Event{claim, accept, receipt(late, done, slow, sms), receipt(late+fallback/3, done, whatsApp)}
	case n < 92:
		return []campaign.Event{claim, accept, receipt(late, lost, slow, leg("sms", campaign.RankFailed, 3033))}
	case n < 94:
		return []campaign.Event{claim, accept, receipt(8*time.Second, lost, absent, leg("sms", campaign.RankFailed, 3031))}
	case n < 95:
		return []campaign.Event{claim, accept, receipt(6*time.Second, lost, leg("whatsapp", campaign.RankFailed, 3046), leg("sms", campaign.RankFailed, 3046))}
	case n < 96:
		return []campaign.Event{claim, after(0, campaign.Event{Kind: campaign.EventRefuse, Reason: campaign.ReasonRefused, Code: 3115})}
	case n < 97:
		return []campaign.Event{claim, accept, after(3*time.Hour, campaign.Event{Kind: campaign.EventOverdue, Reason: campaign.ReasonNoReceipt})}
	case n < 98 && i/100%2 == 0:
		return []campaign.Event{claim, after(15*time.Second, campaign.Event{Kind: campaign.EventDoubt, Reason: campaign.ReasonTimeout, DueAt: began.Add(2 * time.Hour)}), over}
	case n < 98:
		return []campaign.Event{claim, after(0, campaign.Event{Kind: campaign.EventDoubt, Reason: campaign.ReasonReset, DueAt: began.Add(2 * time.Hour)}), over}
	case n < 99:
		return []campaign.Event{{Kind: campaign.EventSuppress, At: began}}
	}
	return []campaign.Event{claim, accept, receipt(soon, done, whatsApp)}
}
