package process_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

// faces are the three ways to the same verbs.
type facesOfPeople struct {
	env env
	api *caller
}

func openFacesOfPeople(t testing.TB, e env) *facesOfPeople {
	t.Helper()
	key := keyOf(t, e, "olga", "read,control,people,submit")
	return &facesOfPeople{e, &caller{t, serve(t, e, "console").url, key}}
}

// send makes a request, and returns the status and the text of the answer.
func (f *facesOfPeople) send(t testing.TB, method, path, media, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.api.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if req.Header.Set("Content-Type", media); strings.HasPrefix(path, "/api/") {
		req.Header.Set("Authorization", "Bearer "+f.api.token)
	} else {
		req.SetBasicAuth("olga", f.api.token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// command runs one, and returns the refusal; empty if it was done.
func (f *facesOfPeople) command(t testing.TB, args ...string) string {
	t.Helper()
	if r := handout(t, f.env, append(args, "--yes")...); r.code != 0 {
		return r.stderr
	}
	return ""
}

// post asks the API, and returns the refusal.
func (f *facesOfPeople) post(t testing.TB, path, body string) string {
	t.Helper()
	if status, text := f.send(t, "POST", "/api/v1"+path, "application/json", body); status != http.StatusOK {
		return text
	}
	return ""
}

// form answers a page's question with yes, and returns the refusal of either.
func (f *facesOfPeople) form(t testing.TB, path string) string {
	t.Helper()
	status, text := f.send(t, "GET", path, "", "")
	if status == http.StatusOK {
		fields := url.Values{}
		for _, m := range regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			fields.Set(m[1], html.UnescapeString(m[2]))
		}
		path, _, _ = strings.Cut(path, "?")
		status, text = f.send(t, "POST", path, "application/x-www-form-urlencoded", fields.Encode())
	}
	if status == http.StatusSeeOther {
		return ""
	}
	return html.UnescapeString(text)
}

// said holds that a face has refused in these words, or for none that it hasn't.
func saidOfPeople(t testing.TB, face, refusal, want string) {
	t.Helper()
	if (refusal == "") != (want == "") || !strings.Contains(strings.ToLower(refusal), want) {
		t.Errorf("%s says %.2000q, want %q", face, refusal, want)
	}
}

// inDoubt has a worker's connection break in the middle of a send. Many such would
// hold the campaign, which is resumed.
func inDoubt(t testing.TB, l *ledger.Ledger, info *campaign.Info, at campaign.Place) {
	t.Helper()
	var seen ledger.Seen
	err := l.Resume(t.Context(), info.ID, campaign.Actor{Name: "ann"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []campaign.Event{
		{Kind: campaign.EventClaim, Claim: 7, At: time.Now()},
		{Kind: campaign.EventDoubt, Claim: 7, Attempt: 1, Reason: campaign.ReasonReset, At: time.Now(), DueAt: time.Now().Add(time.Hour)},
	} {
		if seen, err = l.Apply(t.Context(), info, at, seen, e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFaces_DecideAboutOneRecipientAlike(t *testing.T) {
	t.Parallel()
	const id = "spring"
	server := redistest.Start(t)
	f := openFacesOfPeople(t, account(server.URL()))
	phones := numbers(30, plainly)
	done(t, f.env, "submit", campaignFile(t, id), listFile(t, phones))
	l, list := ledger.New(server.Client()), suppression.New(server.Client())
	info, err := l.Info(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for name, c := range map[string]struct {
		doubt, suppressed bool
		verb, refusal     string // with the place for %s
		state             campaign.State
	}{
		"sent again":                    {doubt: true, verb: "resend", state: campaign.Retrying},
		"taken as sent":                 {doubt: true, verb: "accept-as-sent", state: campaign.Unconfirmed},
		"suppressed, sent again":        {doubt: true, suppressed: true, verb: "resend", refusal: "the number of recipient %s is suppressed since ", state: campaign.InDoubt},
		"suppressed, taken as sent":     {doubt: true, suppressed: true, verb: "accept-as-sent", state: campaign.Unconfirmed},
		"not sent to yet, sent again":   {verb: "resend", refusal: "recipient %s is planned and can't be sent to again", state: campaign.Planned},
		"not sent to yet, taken as so":  {verb: "accept-as-sent", refusal: "recipient %s is planned, and not in doubt", state: campaign.Planned},
		"not there, as of a wrong name": {verb: "resend", refusal: "there is no such recipient in campaign spring"},
	} {
		for _, face := range []string{"the command line", "the API", "the page"} {
			at := campaign.PlaceOf(next)
			if next++; strings.HasPrefix(name, "not there") {
				at = campaign.PlaceOf(len(phones))
			}
			if c.doubt {
				inDoubt(t, l, info, at)
			}
			if c.suppressed {
				if _, err := list.Add(t.Context(), phones[at.Position()], suppression.Entry{At: time.Now(), Why: suppression.WhyStop}); err != nil {
					t.Fatal(err)
				}
			}
			refusal := ""
			switch face {
			case "the command line":
				refusal = f.command(t, c.verb, id, at.String())
			case "the API":
				refusal = f.post(t, "/campaigns/spring/recipients/"+at.String()+"/"+c.verb, "{}")
			default:
				refusal = f.form(t, "/campaigns/spring/people/"+at.String()+"/"+strings.TrimSuffix(c.verb, "-as-sent"))
			}
			want := c.refusal
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, at)
			}
			saidOfPeople(t, face+", "+name, refusal, want)
			if at.Position() < len(phones) {
				if seen, err := l.ReadRecord(t.Context(), info, at); err != nil || seen.Record.State != c.state {
					t.Errorf("%s, %s: the recipient is %s (%v), want %s", face, name, seen.Record.State, err, c.state)
				}
			}
		}
	}
}

func TestFaces_DecideAboutManyAlike(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	f := openFacesOfPeople(t, account(server.URL()))
	l := ledger.New(server.Client())
	for i, face := range []string{"the command line", "the API", "the page"} {
		id := fmt.Sprintf("spring-%d", i)
		done(t, f.env, "submit", campaignFile(t, id), listFile(t, numbers(6, plainly)))
		info, err := l.Info(t.Context(), campaign.ID(id))
		if err != nil {
			t.Fatal(err)
		}
		count := func(state campaign.State, want int) {
			t.Helper()
			if b, err := l.Balance(t.Context(), info.ID); err != nil || b.Of(state) != want {
				t.Errorf("%s: %d are %s (%v), want %d", face, b.Of(state), state, err, want)
			}
		}
		do := func(verb string) string {
			t.Helper()
			switch face {
			case "the command line":
				if verb == "retry" {
					return f.command(t, "retry", id, "--only", "in_doubt")
				}
				return f.command(t, "accept-as-sent", id, "--all")
			case "the API":
				if verb == "retry" {
					return f.post(t, "/campaigns/"+id+"/retry", `{"only":"in_doubt","expected":2}`)
				}
				return f.post(t, "/campaigns/"+id+"/accept-as-sent", `{"expected":2}`)
			}
			if verb == "retry" {
				return f.form(t, "/campaigns/"+id+"/retry?only=in_doubt")
			}
			return f.form(t, "/doubt/"+id+"/accept")
		}
		for i := range 2 {
			inDoubt(t, l, info, campaign.PlaceOf(i))
		}
		saidOfPeople(t, face, do("retry"), "")
		count(campaign.Retrying, 2)
		for i := 2; i < 4; i++ {
			inDoubt(t, l, info, campaign.PlaceOf(i))
		}
		done(t, f.env, "cancel", id)
		saidOfPeople(t, face, do("retry"), "campaign "+id+" was canceled: its recipients can't be sent to again")
		count(campaign.InDoubt, 2)
		saidOfPeople(t, face, do("accept"), "")
		count(campaign.Unconfirmed, 2)
	}
}
