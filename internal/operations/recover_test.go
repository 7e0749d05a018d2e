package operations_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/vendorreport"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func number(i int) string { return fmt.Sprintf("+4179%07d", i) }

// report is Telesign's, of rows "reference,external ID,phone,minutes ago,status".
func (p *people) report(t *testing.T, rows ...string) []vendorreport.Row {
	t.Helper()
	text := "ref,ext,to,at,status\n"
	for _, row := range rows {
		cells := strings.Split(row, ",")
		if cells[3] != "" {
			ago, err := time.ParseDuration(cells[3])
			if err != nil {
				t.Fatal(err)
			}
			cells[3] = time.Now().Add(-ago).UTC().Format(time.RFC3339)
		}
		text += strings.Join(cells, ",") + "\n"
	}
	read, err := p.ReadReport(strings.NewReader(text), vendorreport.Columns{Reference: "ref", ExternalID: "ext", Phone: "to", Date: "at", Status: "status"})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func (p *people) states(t *testing.T, of int) (all []string) {
	t.Helper()
	for i := range of {
		all = append(all, p.at(t, i).Found.Seen.Record.State.String())
	}
	return all
}

func TestRecover_SettlesByTheReportAndTwiceDoesNoHarm(t *testing.T) {
	t.Parallel()
	p := open(t, []string{"a", "b", "c", "d", "e", "f", "g", "h"}, 2)
	known := campaigntest.Reference(2)
	p.apply(t, 2, campaign.Event{Kind: campaign.EventClaim, Claim: 7}, campaign.Event{Kind: campaign.EventAccept, Claim: 7, Attempt: 1, Reference: known})
	if err := p.NoteRestore(t.Context(), time.Now().Add(-time.Hour), ann); err != nil {
		t.Fatal(err)
	}
	other := campaign.Attempt{Campaign: "spring", Salt: "aaaaaaaa", Place: campaign.PlaceOf(7), Number: 1}
	gone := campaign.Attempt{Campaign: "summer", Salt: "aaaaaaaa", Place: campaign.PlaceOf(7), Number: 1}
	rows := p.report(t,
		campaigntest.Reference(3)+","+p.info.ExternalID(campaign.PlaceOf(3), 1)+","+number(3)+",30m,delivered",
		known+",,"+number(2)+",2h,3005",
		campaigntest.Reference(4)+",,"+number(4)+",30m,sent",
		campaigntest.Reference(5)+",,"+number(5)+",30m,delivered", campaigntest.Reference(15)+",,"+number(5)+",20m,delivered",
		campaigntest.Reference(6)+",,"+number(6)+",2h,delivered",
		",,"+number(7)+",30m,3204",
		campaigntest.Reference(0)+",,"+number(0)+",61m,delivered", // claimed before the copy, by a clock that is behind
		","+other.ExternalID()+",,,delivered", ","+gone.ExternalID()+",,,delivered", ",of another application,,,delivered",
		campaigntest.Reference(99)+",,"+number(99)+",30m,delivered",
		campaigntest.Reference(98)+",,,,gibberish",
	)
	match, err := p.MatchReport(t.Context(), operations.ReportQuery{Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	want := &operations.ReportMatch{
		Rows: 13, ByExternalID: 1, ByReference: 1, ByPhone: 2, NotSent: 1, Foreign: 2, Unknown: 1, Outside: 1, Unmatched: 2, Ambiguous: 2,
		AmbiguousLines: []int{5, 6}, UnknownCampaigns: map[campaign.ID]int{"summer": 1}, UnknownWords: map[string]int{"gibberish": 1},
		Campaigns: []*operations.MatchedCampaign{{ID: "spring", Recipients: 4, WereOpen: 2, Ambiguous: 1, Open: 2, InDoubt: 1}},
	}
	if diff := cmp.Diff(want, match, cmpopts.IgnoreUnexported(operations.ReportMatch{}, operations.MatchedCampaign{}), cmpopts.IgnoreFields(operations.ReportMatch{}, "Since", "Until", "First", "Last")); diff != "" {
		t.Error(diff)
	}
	_, err = p.SettleReport(t.Context(), match, false, ann, nil)
	refused(t, err, operations.Refused, "2 ambiguous rows")
	before := []string{"in_doubt", "in_doubt", "accepted", "planned", "planned", "planned", "planned", "planned"}
	if diff := cmp.Diff(before, p.states(t, 8)); diff != "" {
		t.Errorf("after a refusal: %s", diff)
	}
	after := []string{"delivered", "in_doubt", "delivered", "delivered", "accepted", "in_doubt", "planned", "planned"}
	for i, changes := range []int{5, 0} {
		match, err := p.MatchReport(t.Context(), operations.ReportQuery{Rows: rows})
		if err != nil {
			t.Fatal(err)
		}
		changed, err := p.SettleReport(t.Context(), match, true, ann, nil)
		if err != nil || changed != changes {
			t.Errorf("the %d. time: %d changed, %v", i+1, changed, err)
		}
		if diff := cmp.Diff(after, p.states(t, 8)); diff != "" {
			t.Error(diff)
		}
	}
	info, err := p.ledger.Info(t.Context(), "spring")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := p.ledger.Verify(t.Context(), info, nil); err != nil || len(v.Faults) > 0 {
		t.Errorf("%v, %v", v.Faults, err)
	}
}

func TestRecover_ANumberInTwoCampaignsIsAmbiguousUnlessOneIsNamed(t *testing.T) {
	t.Parallel()
	p := open(t, []string{"a", "b"}, 0)
	file, err := producer.ParseCampaign("", []byte("id: autumn\nmessage_type: MKT\nchannels: [{channel: sms, template: text, parameters: {text: Hello}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := producer.New(p.rdb).Submit(t.Context(), file, producer.ListReader("list.csv", producer.CSV, strings.NewReader("recipient,phone\na,"+number(0)+"\n")), producer.SubmitOptions{}); err != nil {
		t.Fatal(err)
	}
	rows := p.report(t, campaigntest.Reference(1)+",,"+number(0)+",30m,delivered")
	if _, err := p.MatchReport(t.Context(), operations.ReportQuery{Rows: rows}); operations.KindOf(err) != operations.Refused {
		t.Errorf("without a time: %v", err)
	}
	if err := p.NoteRestore(t.Context(), time.Now().Add(-time.Hour), ann); err != nil {
		t.Fatal(err)
	}
	for want, named := range map[string][]campaign.ID{"0 by phone, 1 ambiguous": nil, "1 by phone, 0 ambiguous": {"autumn"}} {
		m, err := p.MatchReport(t.Context(), operations.ReportQuery{Rows: rows, Campaigns: named})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d by phone, %d ambiguous", m.ByPhone, m.Ambiguous); got != want {
			t.Errorf("%v: %s, want %s", named, got, want)
		}
	}
	_, err = p.MatchReport(t.Context(), operations.ReportQuery{Rows: rows, Campaigns: []campaign.ID{"winter"}})
	refused(t, err, operations.NotFound, "winter")
}

func TestRecover_IsClosedWhenNothingIsHeld(t *testing.T) {
	t.Parallel()
	p := open(t, []string{"a", "b"}, 0)
	refused(t, p.CloseRecovery(t.Context(), ann), operations.WrongPhase, "no recovery is open")
	refused(t, p.NoteRestore(t.Context(), time.Now().Add(time.Hour), ann), operations.Refused, "future")
	refused(t, p.NoteRestore(t.Context(), time.Time{}, ann), operations.Refused, "when was the copy taken")
	// A process has noticed it that holds nothing, as a command.
	from := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	if err := installation.NoteRestore(t.Context(), p.rdb, &installation.Restore{From: from, Noticed: time.Now()}); err != nil {
		t.Fatal(err)
	}
	refused(t, p.CloseRecovery(t.Context(), ann), operations.WrongPhase, "aren't held yet")
	if err := p.NoteRestore(t.Context(), time.Time{}, ann); err != nil {
		t.Fatal(err)
	}
	// A receipt that comes late is of an attempt that the ledger has lost.
	at := campaign.PlaceOf(1)
	if _, err := p.ledger.Apply(t.Context(), p.info, at, ledger.Seen{}, campaign.Event{Kind: campaign.EventReceipt, At: time.Now().Add(time.Second), Attempt: 1, Status: campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}}); err != nil {
		t.Fatal(err)
	}
	r, err := p.Recovery(t.Context())
	if err != nil || r.Restore == nil || !r.Restore.Held || !r.Restore.From.Equal(from) || len(r.Held) != 1 || r.Held[0].Open() != 1 || r.Held[0].Since != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	refused(t, p.CloseRecovery(t.Context(), ann), operations.WrongPhase, "spring")
	s, err := p.Standing(t.Context(), "spring")
	if err == nil {
		err = p.Resume(t.Context(), s, ann)
	}
	if err == nil {
		err = p.CloseRecovery(t.Context(), ann)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Recovery(t.Context()); err != nil || r.Restore != nil || len(r.Held) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRecover_OfACampaignThatWasPurgedSinceSaysSo(t *testing.T) {
	t.Parallel()
	ring, err := sealed.NewRing(sealed.NewMasterKey(), "")
	if err != nil {
		t.Fatal(err)
	}
	rdb := redistest.Start(t).Client()
	p := &people{operations.New(rdb, operations.Options{MasterKeys: ring}), rdb, ledger.New(rdb), nil}
	client := producer.New(rdb)
	client.Seal(ring)
	file, err := producer.ParseCampaign("", []byte("id: spring\nmessage_type: MKT\nchannels: [{channel: sms, template: text, parameters: {text: Hello}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	result, err := client.Submit(t.Context(), file, producer.ListReader("list.csv", producer.CSV, strings.NewReader("recipient,phone\na,"+number(0)+"\n")), producer.SubmitOptions{})
	if err == nil {
		err = rdb.Del(t.Context(), "handout:{spring}:key").Err() // as a purge does, in a Redis of keys that no backup has
	}
	if err == nil {
		err = p.NoteRestore(t.Context(), time.Now().Add(-time.Hour), ann)
	}
	if err != nil {
		t.Fatal(err)
	}
	ring, err = sealed.NewRing(sealed.NewMasterKey(), "") // a process that hasn't read the key before
	if err != nil {
		t.Fatal(err)
	}
	p.Operations = operations.New(rdb, operations.Options{MasterKeys: ring})
	if r, err := p.Recovery(t.Context()); err != nil || len(r.Held) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	m, err := p.MatchReport(t.Context(), operations.ReportQuery{Rows: p.report(t, ","+result.Info.ExternalID(campaign.PlaceOf(0), 1)+",,,delivered")})
	if err != nil || len(m.Campaigns) != 1 || !m.Campaigns[0].Purged {
		t.Fatalf("%+v, %v", m, err)
	}
	if n, err := p.SettleReport(t.Context(), m, false, ann, nil); err != nil || n != 1 {
		t.Errorf("%d changed, %v", n, err)
	}
}
