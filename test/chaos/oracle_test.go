package chaos_test

import (
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign/simulator"
)

// judgement is what became of everyone, by the vendor's log.
type judgement struct {
	line
	faults []string // of whom the ledger says what the vendor denies
}

// judge holds the ledger against the vendor's log.
func (r *rig) judge(number int, scenario string) *judgement {
	r.t.Helper()
	j := &judgement{line: line{
		number: number, scenario: scenario, recipients: r.recipients, kills: int(r.kills.Load()),
		seconds: time.Since(r.start).Seconds(),
	}}
	times := make(map[campaign.Place]int)    // by our own ID
	givenUp := make(map[campaign.Place]bool) // those whose last receipt the vendor has given up
	phones := make(map[string]int)           // and by the phone number, should the ID be wrong
	for _, a := range r.vendor.Accepted() {
		j.accepted++
		attempt, err := campaign.ParseExternalID(a.ExternalID)
		if err != nil || attempt.Campaign != campaignID {
			j.faults = append(j.faults, fmt.Sprintf("the vendor took %q", a.ExternalID))
			continue
		}
		times[attempt.Place]++
		if r.unheard.has(a.Reference) {
			givenUp[attempt.Place] = true
		}
		phones[a.PhoneNumber]++
	}
	for _, n := range phones {
		j.twice += n - 1
	}
	err := r.ledger.EachPage(r.t.Context(), r.info, func(p *ledger.Page) error {
		for i, to := range p.Recipients {
			place := campaign.Place{Page: p.Number, Index: i}
			record := p.Record(i)
			j.one(r, place, &record, times[place], givenUp[place], simulator.StoryOf(trimPlus(to.Phone)))
			if n := phones[trimPlus(to.Phone)]; n != times[place] {
				j.faults = append(j.faults, fmt.Sprintf("recipient %v: %d messages by ID, %d by phone number", place, times[place], n))
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	j.doubts = len(r.doubts)
	r.mu.Unlock()
	j.settled = j.doubts - j.remain
	if out, err := r.run("verify", string(campaignID)); err != nil {
		j.balance = "NO"
		j.faults = append(j.faults, out)
	} else {
		j.balance = "closes"
	}
	return j
}

// one holds one record against how often the vendor took its message.
func (j *judgement) one(of *rig, place campaign.Place, r *campaign.Record, times int, givenUp bool, story simulator.Story) {
	lost := func(why string) {
		j.lost++
		j.faults = append(j.faults, fmt.Sprintf("recipient %v is %s (attempt %d, %s): %s", place, r.State, r.Attempt, r.Reason, why))
	}
	switch r.State {
	case campaign.Planned, campaign.Claimed, campaign.Retrying, campaign.Accepted:
		lost("left unsettled")
	case campaign.Refused, campaign.Canceled, campaign.Suppressed:
		if times > 0 {
			lost("the vendor took it")
		}
		if r.State == campaign.Refused && story.ExpectedState != "refused" {
			lost("the vendor never refused it")
		}
	case campaign.InDoubt:
		j.remain++ // taken or not: that is what it says
		if times > 0 && !givenUp && !of.deaf {
			lost("its receipt has come")
		}
	case campaign.Delivered, campaign.Failed, campaign.Unconfirmed:
		if times == 0 {
			lost("the vendor never took it")
		}
		if r.State != campaign.Unconfirmed && story.ExpectedState != r.State.String() {
			lost("the vendor says " + story.ExpectedState)
		}
	}
}

func trimPlus(phone string) string {
	if phone != "" && phone[0] == '+' {
		return phone[1:]
	}
	return phone
}

// mostShown is how many faults are worth a line.
const mostShown = 20

// require fails the test unless no one was sent to twice, no one was lost, the
// balance closes, and no more are in doubt than were in flight at a kill.
func (j *judgement) require(r *rig, mostDoubts int) {
	r.t.Helper()
	j.report(r)
	if j.twice > 0 {
		r.t.Errorf("%d were sent twice", j.twice)
	}
	if j.lost > 0 || len(j.faults) > 0 {
		r.t.Errorf("%d are lost; %d faults", j.lost, len(j.faults))
	}
	for _, f := range j.faults[:min(len(j.faults), mostShown)] {
		r.t.Error(f)
	}
	if j.doubts > mostDoubts || j.remain > mostDoubts {
		r.t.Errorf("%d were in doubt and %d are, with %d in flight at all kills together", j.doubts, j.remain, mostDoubts)
	}
}

// report puts the judgement into the table. What is promised whatever Redis
// forgets is that the balance closes.
func (j *judgement) report(r *rig) {
	r.t.Helper()
	table.add(j.line)
	if j.balance != "closes" {
		r.t.Error("the balance doesn't close")
	}
}
