package worker_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/worker"
)

const sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// store serves the file of each person, and counts who was asked for.
type store struct {
	mu    sync.Mutex
	asked map[string]int
	serve http.HandlerFunc
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked[r.URL.Path]++
	s.mu.Unlock()
	s.serve(w, r)
}

func (s *store) people() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func file(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", sheet)
	w.Header().Set("Content-Length", "5000")
}

func newStore(t *testing.T, serve http.HandlerFunc) (*store, string) {
	t.Helper()
	s := &store{asked: map[string]int{}, serve: serve}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

// checking is a campaign whose files are at this server.
func checking(check campaign.FileCheck, url, query string) func(*campaign.Spec) {
	return func(s *campaign.Spec) {
		s.CheckFiles = check
		s.Channels[0].Parameters = map[string]string{"url": url + "/{{.recipient}}" + query, "file_name": "order history.pdf"}
	}
}

func private(o *worker.Options) { o.FilesPrivate, o.FilesRate = true, 1000 }

func (r *rig) lastLine(c *campaign.Info, verb string) string {
	r.t.Helper()
	history, err := r.ledger.History(r.t.Context(), c.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range history {
		if e.Verb == verb {
			return e.Why
		}
	}
	return ""
}

func TestCheckFiles_ThenEverybodyIsSentTo(t *testing.T) {
	t.Parallel()
	for check, asked := range map[campaign.FileCheck]int{campaign.CheckNone: 0, campaign.CheckSample: 20, campaign.CheckAll: 230} {
		t.Run(string(check), func(t *testing.T) {
			t.Parallel()
			s, url := newStore(t, file)
			r := setup(t, &vendor{})
			c := r.stand("c", phones(230), false, checking(check, url, ""))
			r.start(private)
			r.untilAccepted(c, 230)
			if n := s.people(); n != asked {
				t.Errorf("the files of %d were looked at, want %d", n, asked)
			}
			want := fmt.Sprintf("of %d people; of %d the name, or the type, doesn't fit the file", asked, asked)
			if got := r.lastLine(c, "looked at the files"); asked > 0 && got != want {
				t.Error(got)
			}
		})
	}
}

func TestCheckFiles_FaultsHoldTheCampaignBeforeTheFirstSend(t *testing.T) {
	t.Parallel()
	soon := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	late := strconv.FormatInt(time.Now().Add(24*time.Hour).Unix(), 10)
	typed := func(kind, length string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Length", length)
		}
	}
	login := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/login") {
			w.Header().Set("Content-Type", "text/html")
			return
		}
		http.Redirect(w, r, "/login", http.StatusFound)
	}
	// As a presigned link, which is signed for GET alone.
	onlyGet := func(whole string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.Header.Get("Range") != "bytes=0-0" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Content-Type", sheet)
			w.Header().Set("Content-Range", "bytes 0-0/"+whole)
			w.WriteHeader(http.StatusPartialContent)
			fmt.Fprint(w, "P")
		}
	}
	one := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/r3" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		file(w, r)
	}
	for name, c := range map[string]struct {
		serve   http.HandlerFunc
		query   string
		options func(*worker.Options)
		reason  string // of the hold; empty: it is sent
	}{
		"forbidden":           {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "", private, "files: 20 of 20 can't be sent: 403 Forbidden (0.0)"},
		"one is missing":      {one, "", private, "files: 1 of 20 can't be sent: 404 Not Found (0.3)"},
		"a login":             {login, "", private, "files: 20 of 20 can't be sent: a page, as of a login, and not a file (0.0)"},
		"a circle":            {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/on", http.StatusFound) }, "", private, "files: 20 of 20 can't be sent: too many redirects (0.0)"},
		"a type":              {typed("application/zip", "9"), "", private, "files: 20 of 20 can't be sent: WhatsApp takes no application/zip (0.0)"},
		"no type":             {typed("binary/octet-stream", "9"), "", private, ""},
		"too large":           {typed(sheet, "104857601"), "", private, "files: 20 of 20 can't be sent: over 100 MB (0.0)"},
		"as large as can be":  {typed(sheet, "104857600"), "", private, ""},
		"only GET":            {onlyGet("5000"), "", private, ""},
		"only GET, too large": {onlyGet("104857601"), "", private, "files: 20 of 20 can't be sent: over 100 MB (0.0)"},
		"private":             {file, "", func(o *worker.Options) { o.FilesRate = 1000 }, "files: 20 of 20 can't be sent: a private address (0.0)"},
		"ends too soon":       {file, "?Expires=" + soon, private, "files: 20 of 20 can't be sent: the link ends before the campaign may (0.0)"},
		"ends late enough":    {file, "?Expires=" + late, private, ""},
		"S3, ended":           {file, "?X-Amz-Date=20261123T020000Z&X-Amz-Expires=1", private, "files: 20 of 20 can't be sent: the link ends before the campaign may (0.0)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := newStore(t, c.serve)
			r := setup(t, &vendor{})
			info := r.stand("c", phones(20), false, checking(campaign.CheckSample, url, c.query))
			r.start(c.options)
			if c.reason == "" {
				r.untilAccepted(info, 20)
				return
			}
			var reason string
			r.until("it is held", func() bool {
				var phase campaign.Phase
				var err error
				phase, reason, _, err = r.ledger.Phase(t.Context(), info.ID)
				return err == nil && phase == campaign.Held
			})
			if reason != c.reason || r.balance(info).Of(campaign.Planned) != 20 {
				t.Errorf("%s; %d planned", reason, r.balance(info).Of(campaign.Planned))
			}
			// A person's word sends all the same.
			if err := r.ledger.Resume(t.Context(), info.ID, campaign.Actor{Name: "ann"}, time.Now()); err != nil {
				t.Fatal(err)
			}
			r.untilAccepted(info, 20)
		})
	}
}

func TestCheckFiles_GoesOnWhereADeadWorkerWas(t *testing.T) {
	t.Parallel()
	s, url := newStore(t, file)
	r := setup(t, &vendor{})
	c := r.stand("c", phones(230), false, checking(campaign.CheckAll, url, ""))
	if err := r.ledger.KeepFiles(t.Context(), c.ID, "", ledger.FilesProgress{Next: 200}); err != nil {
		t.Fatal(err)
	}
	// A writer that has read an older state changes nothing.
	if err := r.ledger.PassFiles(t.Context(), c.ID, "", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	r.start(private)
	r.untilAccepted(c, 230)
	if n := s.people(); n != 30 {
		t.Errorf("the files of %d were looked at", n)
	}
}

// byZone is a campaign by zone whose pages aren't full, with files at this server.
func (r *rig) byZone(check campaign.FileCheck, url, query string, people ...inZone) *campaign.Info {
	r.t.Helper()
	return r.standByZone("c", func(s *campaign.Spec) {
		s.CheckFiles = check
		s.Channels[0].Parameters = map[string]string{"url": url + "/{{.recipient}}" + query, "file_name": "order history.xlsx"}
	}, people...)
}

func TestCheckFiles_OfACampaignInPagesByZone(t *testing.T) {
	t.Parallel()
	// One page of a single person, one of a few, and full ones.
	zones := []inZone{{york, 1}, {berlin, 130}, {"", 7}, {berlin + "|" + york, 12}}
	for check, asked := range map[campaign.FileCheck]int{campaign.CheckSample: 20, campaign.CheckAll: 150} {
		t.Run(string(check), func(t *testing.T) {
			t.Parallel()
			s, url := newStore(t, file)
			r := setup(t, &vendor{})
			r.skew("15:00:00") // open in both
			c := r.byZone(check, url, "", zones...)
			r.start(private)
			r.until("all with a zone are sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 143 })
			if n := s.people(); n != asked {
				t.Errorf("the files of %d were looked at, want %d", n, asked)
			}
			if got, want := r.lastLine(c, "looked at the files"), fmt.Sprintf("of %d people", asked); got != want {
				t.Error(got)
			}
		})
	}
	t.Run("one is missing", func(t *testing.T) {
		t.Parallel()
		_, url := newStore(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/r149" { // the last one, of a page that isn't full
				w.WriteHeader(http.StatusNotFound)
				return
			}
			file(w, r)
		})
		r := setup(t, &vendor{})
		r.skew("15:00:00")
		c := r.byZone(campaign.CheckAll, url, "", zones...)
		r.start(private)
		if got, want := r.whyHeld(c), "files: 1 of 150 can't be sent: 404 Not Found (4.11)"; got != want {
			t.Error(got)
		}
	})
}

// whyHeld waits for a hold, and returns its reason.
func (r *rig) whyHeld(c *campaign.Info) (reason string) {
	r.t.Helper()
	r.until("it is held", func() bool {
		var phase campaign.Phase
		var err error
		phase, reason, _, err = r.ledger.Phase(r.t.Context(), c.ID)
		return err == nil && phase == campaign.Held
	})
	return reason
}

// TestCheckFiles_ALinkOutlivesTheHoursToo has links end between the time that the
// sends would take by themselves and the one that they take within the hours.
func TestCheckFiles_ALinkOutlivesTheHoursToo(t *testing.T) {
	t.Parallel()
	const ends = "files: 20 of 20 can't be sent: the link ends before the campaign may (0.0)"
	// At 19:00 in Berlin there are 49 minutes left, and the rest is for tomorrow
	// from 8:00 in UTC on. At one in 50 s the window takes 58 of 100; the others
	// take 35 minutes, then there are 10 for the fallback and the hour.
	for name, c := range map[string]struct {
		zones  []inZone
		ends   string
		reason string
	}{
		"before tomorrow's window": {[]inZone{{berlin, 100}}, "2026-11-24T07:00:00Z", ends},
		"without the margin":       {[]inZone{{berlin, 100}}, "2026-11-24T09:30:00Z", ends},
		"with it":                  {[]inZone{{berlin, 100}}, "2026-11-24T09:50:00Z", ""},
		"another zone's evening":   {[]inZone{{berlin, 10}, {"Asia/Tokyo", 20}}, "2026-11-23T22:00:00Z", ends},
		"until Tokyo's morning":    {[]inZone{{berlin, 10}, {"Asia/Tokyo", 20}}, "2026-11-24T02:00:00Z", ""},
		"who has no zone":          {[]inZone{{berlin, 30}, {"", 100}}, "2026-11-23T20:00:00Z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, c.ends)
			if err != nil {
				t.Fatal(err)
			}
			_, url := newStore(t, file)
			r := setup(t, &vendor{})
			r.skew("18:00:00") // in UTC
			info := r.byZone(campaign.CheckSample, url, fmt.Sprintf("?Expires=%d", at.Unix()), c.zones...)
			r.start(func(o *worker.Options) { private(o); o.Rate = 0.02 })
			if c.reason != "" {
				if got := r.whyHeld(info); got != c.reason {
					t.Error(got)
				}
				return
			}
			r.until("the files have passed", func() bool {
				stood, _, err := r.ledger.CheckedFiles(t.Context(), info.ID)
				return err == nil && stood == ledger.FilesPassed
			})
		})
	}
}
