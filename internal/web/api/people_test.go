package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
)

// isExternalID reports whether s is that of this attempt, of whatever salt.
func isExternalID(s string, c campaign.ID, p campaign.Place, attempt int) bool {
	a, err := campaign.ParseExternalID(s)
	return err == nil && a.Campaign == c && a.Place == p && a.Number == attempt
}

func TestRecipient_TellsWhatTelesignSaid(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 3)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	h.fail(t, "spring", 1)
	var r api.Recipient
	c.do(t, 200, "GET", "/campaigns/spring/recipients/customer-1", "", "").into(t, &r)
	if r.State != "failed" || r.Attempts != 1 || !isExternalID(r.ExternalID, "spring", campaign.Place{Index: 1}, 1) || r.ReferenceID != fmt.Sprintf("%032X", 2) || r.Place != "0.1" {
		t.Errorf("%+v", r)
	}
	if len(r.Channels) != 1 || r.Channels[0].Channel != "whatsapp" || r.Channels[0].Code != 3056 || !strings.Contains(r.Channels[0].Words, "fallback") {
		t.Errorf("%+v", r.Channels)
	}
	if got := story(r); got != "claimed 1, heard 1 whatsapp 3056, settled 1 failed" || r.ClaimedAt == nil || r.SettledAt == nil || r.Channels[0].At == nil {
		t.Errorf("%s: %+v", got, r)
	}
	if !strings.Contains(r.Reason, "undelivered") {
		t.Errorf("%q", r.Reason)
	}
}

// story is a recipient's timeline in a line.
func story(r api.Recipient) string {
	var told []string
	for _, m := range r.Timeline {
		s := m.What
		if m.Attempt > 0 {
			s += fmt.Sprint(" ", m.Attempt)
		}
		if m.Channel != nil {
			s += fmt.Sprint(" ", m.Channel.Channel, " ", m.Channel.Code)
		}
		told = append(told, strings.Join(strings.Fields(s+" "+m.State+" "+m.By), " "))
	}
	return strings.Join(told, ", ")
}

func TestRecipient_TellsEveryAttempt(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 3)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	h.fail(t, "spring", 1)
	var r api.Recipient
	c.do(t, 200, "POST", "/campaigns/spring/recipients/customer-1/resend", "", "").into(t, &r)
	h.claimed(t, "spring", 1)
	c.do(t, 200, "GET", "/campaigns/spring/recipients/customer-1", "", "").into(t, &r)
	if got := story(r); !strings.HasPrefix(got, "claimed 1, heard 1 whatsapp 3056, settled 1 failed, resent billing, claimed 2") {
		t.Errorf("the timeline: %s", got)
	}
	if len(r.Earlier) != 1 || r.Earlier[0].Attempt != 1 || r.Earlier[0].State != "failed" || !isExternalID(r.Earlier[0].ExternalID, "spring", campaign.Place{Index: 1}, 1) ||
		r.Earlier[0].ReferenceID != fmt.Sprintf("%032X", 2) || len(r.Earlier[0].Channels) != 1 || r.Earlier[0].Channels[0].At == nil {
		t.Errorf("%+v", r.Earlier)
	}
	if r.Attempts != 2 || r.State != "claimed" || len(r.Channels) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestRecipient_IsFoundByNameOrPlaceAndByPhoneOnlyByWhoSeesThem(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	seer := h.client(t, "seer", access.Read, access.People)
	c.do(t, 201, "POST", "/campaigns", asJSON, strings.Replace(campaignBody("spring"), "{", `{"same_recipient":"note",`, 1))
	list := "recipient,phone,url\n"
	for i, name := range []string{"a/b c?", "twin", "twin", "+12015550103", "0.1"} {
		list += fmt.Sprintf("%s,%s,https://files.example.com/x.xlsx\n", name, phoneOf(i))
	}
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, list)
	get := func(c *client, status int, name string) answer {
		return c.do(t, status, "GET", "/campaigns/spring/recipients/"+url.PathEscape(name), "", "")
	}
	var r api.Recipient
	for name, place := range map[string]string{"a/b c?": "0.0", "0.0": "0.0", "0.1": "0.1", "0.4": "0.4", "+12015550103": "0.3"} {
		if get(c, 200, name).into(t, &r); r.Place != place {
			t.Errorf("%q is found at %s, want %s", name, r.Place, place)
		}
	}
	problemOf(t, get(c, 404, "+12015550100"), "not-found")
	if get(seer, 200, "+12015550100").into(t, &r); r.Phone != "+12015550100" || r.Recipient != "a/b c?" {
		t.Errorf("%+v", r)
	}
	for _, name := range []string{"nobody", "0.5", "7.0", "00.1", "0.100", "999999999999.1"} {
		problemOf(t, get(c, 404, name), "not-found")
	}
	p := problemOf(t, get(c, 409, "twin"), "ambiguous")
	if len(p.Errors) != 2 || p.Errors[0].Message != "0.1 is planned" || p.Errors[1].Message != "0.2 is planned" {
		t.Errorf("%+v", p)
	}
	problemOf(t, c.do(t, 409, "POST", "/campaigns/spring/recipients/twin/resend", "", ""), "ambiguous")
}

// Nowhere but with the scope people does a number stand, whichever way it comes.
func TestPeople_AreMaskedEverywhere(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	seer := h.client(t, "seer", access.Read, access.People)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	c.do(t, 201, "PUT", "/campaigns/spring/recipients", asCSV, "recipient,phone,url\n12015550100,+12015550100,https://files.example.com/x.xlsx\n")
	h.fail(t, "spring", 0)
	for _, path := range []string{
		"/campaigns", "/campaigns/spring", "/campaigns/spring/history", "/campaigns/spring/recipients", "/campaigns/spring/recipients/0.0",
		"/campaigns/spring/export", "/campaigns/spring/export?format=ndjson",
	} {
		a := c.do(t, 200, "GET", path, "", "")
		if strings.Contains(a.body, "55501") {
			t.Errorf("%s: %s", path, a.body)
		}
		people := strings.Contains(path, "recipients") || strings.Contains(path, "export")
		if a = seer.do(t, 200, "GET", path, "", ""); people && !strings.Contains(a.body, "+12015550100") {
			t.Errorf("with the scope people %s: %s", path, a.body)
		}
	}
	if strings.Contains(h.log.String(), "5550") {
		t.Errorf("the log has a number: %s", h.log)
	}
}

func TestRecipients_FilterAndGoOn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 250)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	for _, i := range []int{3, 120, 249} {
		h.fail(t, "spring", i)
	}
	h.deliver(t, "spring", 7)
	ask := func(query string) (places []string, requests int) {
		var out struct {
			Recipients []api.Recipient `json:"recipients"`
			NextCursor int             `json:"next_cursor"`
		}
		for cursor := 0; ; {
			out.NextCursor, out.Recipients = 0, nil
			c.do(t, 200, "GET", fmt.Sprintf("/campaigns/spring/recipients?cursor=%d&%s", cursor, query), "", "").into(t, &out)
			for _, r := range out.Recipients {
				places = append(places, r.Place)
			}
			requests++
			if cursor = out.NextCursor; cursor == 0 || requests > 300 {
				return places, requests
			}
		}
	}
	for query, want := range map[string]string{
		"state=failed": "0.3 1.20 2.49", "state=failed&limit=1": "0.3 1.20 2.49", "delivered_by=sms": "0.7", "reason=UNDELIVERED&limit=2": "0.3 1.20 2.49",
		"state=refused": "", "state=failed&delivered_by=sms": "",
	} {
		if got, _ := ask(query); strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	got, requests := ask("limit=100")
	if len(got) != 250 || got[0] != "0.0" || got[249] != "2.49" || requests != 3 {
		t.Errorf("all: %d in %d requests", len(got), requests)
	}
	problemOf(t, c.do(t, 422, "GET", "/campaigns/spring/recipients?state=lost", "", ""), "invalid")
	if a := c.do(t, 200, "GET", "/campaigns/spring/recipients?cursor=100000", "", ""); !strings.Contains(a.body, `"recipients":[]`) {
		t.Error(a.body)
	}
}

// deliver has a person be sent to, and get the SMS.
func (h *house) deliver(t testing.TB, id campaign.ID, index int) {
	t.Helper()
	reference := fmt.Sprintf("%032X", index+1)
	h.settle(t, id, index,
		campaign.Event{Kind: campaign.EventClaim, Claim: 7},
		campaign.Event{Kind: campaign.EventAccept, Claim: 7, Attempt: 1, Reference: reference, DueAt: time.Now().Add(time.Hour)},
		campaign.Event{
			Kind: campaign.EventReceipt, Attempt: 1, Reference: reference, Status: campaign.Leg{Rank: campaign.RankDelivered, Code: 3100},
			Legs: []campaign.ChannelLeg{{Channel: "sms", Leg: campaign.Leg{Rank: campaign.RankDelivered, Code: 3100}}},
		})
}

// claimed has a worker take a recipient who is to be sent to again.
func (h *house) claimed(t testing.TB, id campaign.ID, index int) {
	t.Helper()
	h.settle(t, id, index, campaign.Event{Kind: campaign.EventClaim, Claim: 8})
}

func TestResend_OnceAndNotToThoseDelivered(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 3)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	h.fail(t, "spring", 1)
	h.deliver(t, "spring", 2)
	var r api.Recipient
	c.do(t, 200, "POST", "/campaigns/spring/recipients/customer-1/resend", asJSON, `{"why":"asked for it"}`).into(t, &r)
	if r.State != "retrying" {
		t.Errorf("%+v", r)
	}
	c.do(t, 200, "POST", "/campaigns/spring/recipients/customer-1/resend", "", "").into(t, &r)
	if r.State != "retrying" || r.Attempts != 1 {
		t.Errorf("asked for twice: %+v", r)
	}
	problemOf(t, c.do(t, 409, "POST", "/campaigns/spring/recipients/customer-2/resend", "", ""), "wrong-state")
	if a := c.do(t, 200, "GET", "/campaigns/spring/history", "", ""); !strings.Contains(a.body, `"by":"billing","verb":"resent","why":"asked for it","about":"recipient 0.1"`) {
		t.Error(a.body)
	}
}
