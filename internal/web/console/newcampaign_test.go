package console_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/console"
)

const someFile = `
id: spring
message_type: MKT
channels:
  - {channel: whatsapp, fallback_time: 10m, template: file, parameters: {url: "{{.url}}"}}
  - {channel: sms, template: text, parameters: {text: "Your file: {{.url}}"}}
`

// rows is a list of n people.
func rows(n int) string {
	var b strings.Builder
	b.WriteString("recipient,phone,url\n")
	for i := range n {
		fmt.Fprintf(&b, "customer-%d,+4179%07d,https://files.example.com/%d.xlsx\n", i, i, i)
	}
	return b.String()
}

// files sends a form with files; fields are name and value in turn, and a name
// with a point in the value's place, as in list=list.csv, is a file's.
func (b *browser) files(want int, path string, fields ...string) answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		name, file, isFile := strings.Cut(fields[i], "=")
		var err error
		if isFile {
			part, wrong := w.CreateFormFile(name, file)
			if err = wrong; err == nil {
				_, err = part.Write([]byte(fields[i+1]))
			}
		} else {
			err = w.WriteField(name, fields[i+1])
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.h.url+path, &body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != want {
		b.t.Fatalf("POST %s: %d, want %d: %.2000s", path, resp.StatusCode, want, text.String())
	}
	return answer{resp.StatusCode, resp.Header, text.String()}
}

// review uploads, and is where the dry run is shown.
func (b *browser) review(file, name, list string) string {
	b.t.Helper()
	return b.files(http.StatusSeeOther, "/new", "campaign=c.yaml", file, "list="+name, list).header.Get("Location")
}

// none fails the test if there is any campaign.
func (h *house) none(t testing.TB) {
	t.Helper()
	if ids, err := h.ledger.Campaigns(t.Context(), 10); err != nil || len(ids) > 0 {
		t.Errorf("there are campaigns: %v, %v", ids, err)
	}
}

// A campaign may be called as a page is.
func TestNewCampaign_LeavesACampaignNamedNewItsPage(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "new", 3, false, "")
	b := h.login(t, "olga", access.Read, access.Submit)
	a := b.get(http.StatusOK, "/campaigns/new")
	b.see(a, `id="balance-table"`, `<a href="/campaigns" aria-current="page">`)
	b.miss(a, `id="upload"`)
	b.see(b.get(http.StatusOK, "/new"), `id="upload"`, `<a href="/new" aria-current="page">`)
}

func TestNewCampaign_IsCheckedThenConfirmedOnce(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit)
	b.see(b.get(http.StatusOK, "/new"), `enctype="multipart/form-data"`)
	at := b.review(someFile, "list.csv", rows(250)+"again,+41790000003,https://x.example.com\n")
	a := b.get(http.StatusOK, at)
	b.see(a, "251", "250", "lines 252", "whatsapp", "at 10 messages a second", "1 a message", `id="submit"`)
	b.miss(a, "4179", `id="aside"`)
	h.none(t)
	b.post(http.StatusUnprocessableEntity, at) // no start chosen
	b.post(http.StatusUnprocessableEntity, at, "start", "at", "at", "2020-01-01T09:00")
	b.post(http.StatusUnprocessableEntity, at, "start", "at")
	h.none(t)
	var clicks sync.WaitGroup
	for range 3 {
		clicks.Go(func() {
			resp, err := b.http.PostForm(h.url+at, map[string][]string{"start": {"paused"}, "why": {"spring"}})
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusSeeOther && resp.StatusCode != http.StatusConflict {
				t.Errorf("a click: %d", resp.StatusCode)
			}
		})
	}
	clicks.Wait()
	info, err := h.ledger.Info(t.Context(), "spring")
	if err != nil || info.Total != 250 || info.Phase != campaign.Paused {
		t.Fatalf("%+v, %v", info, err)
	}
	history, err := h.ledger.History(t.Context(), "spring")
	if err != nil || len(history) != 1 || history[0].By != "olga" {
		t.Errorf("%+v, %v", history, err)
	}
	if a := b.post(http.StatusSeeOther, at, "start", "now"); a.header.Get("Location") != "/campaigns/spring" {
		t.Errorf("a late click leads to %s", a.header.Get("Location"))
	}
	if info, err = h.ledger.Info(t.Context(), "spring"); err != nil || info.Phase != campaign.Paused {
		t.Errorf("and made it %s, %v", info.Phase, err)
	}
	b.see(b.get(http.StatusOK, at), "It was submitted")
}

func TestNewCampaign_BadRowsAreNamedAndLeftOutOnlyIfWanted(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit)
	at := b.review(someFile, "list.csv", rows(3)+"bad,12,https://x.example.com\n")
	a := b.get(http.StatusOK, at)
	b.see(a, `id="bad"`, `data-label="Line">5<`, `id="aside"`)
	b.post(http.StatusUnprocessableEntity, at, "start", "now")
	h.none(t)
	b.post(http.StatusSeeOther, at, "start", "now", "aside", "1")
	if info, err := h.ledger.Info(t.Context(), "spring"); err != nil || info.Total != 3 || info.Phase != campaign.Running {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestNewCampaign_StartsAtATime(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit)
	at := b.review(someFile, "list.ndjson", `{"recipient":"a","phone":"+41790000001","url":"https://x.example.com"}`)
	when := time.Now().UTC().Add(48 * time.Hour).Truncate(time.Minute)
	b.post(http.StatusSeeOther, at, "start", "at", "at", when.Format("2006-01-02T15:04"))
	if info, err := h.ledger.Info(t.Context(), "spring"); err != nil || !info.StartAt.Equal(when) {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestNewCampaign_FaultsAreShownAndNothingIsKept(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit)
	for file, list := range map[string]string{
		"id: spring\nmessage_type: XXX\n": rows(3),
		someFile:                          "recipient,phone\na,+41790000001\n",
		strings.Replace(someFile, "spring", "s pring", 1):     rows(3),
		strings.Replace(someFile, "id: spring", "rate: 3", 1): rows(3),
		someFile + " ": "recipient,phone,url\n",
	} {
		at := b.review(file, "list.csv", list)
		a := b.get(http.StatusOK, at)
		b.see(a, `id="faults"`)
		b.miss(a, `id="submit"`)
		b.post(http.StatusConflict, at, "start", "now")
	}
	b.files(http.StatusUnprocessableEntity, "/new", "campaign=c.yaml", someFile)
	b.files(http.StatusUnprocessableEntity, "/new", "campaign=c.yaml", someFile, "list=list.pdf", rows(3))
	b.files(http.StatusRequestEntityTooLarge, "/new", "campaign=c.yaml", strings.Repeat("#", 2<<20), "list=list.csv", rows(3))
	b.post(http.StatusBadRequest, "/new", "campaign", someFile)
	h.none(t)
}

func TestNewCampaign_OtherContentUnderAnIDThatStandsIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit)
	b.post(http.StatusSeeOther, b.review(someFile, "list.csv", rows(3)), "start", "paused")
	at := b.review(someFile, "list.csv", rows(4))
	b.see(b.get(http.StatusOK, at), `id="stands"`)
	b.see(b.post(http.StatusConflict, at, "start", "now"), "other content")
	b.post(http.StatusConflict, at, "start", "now") // it is kept: it may be tried again
	same := b.review(someFile, "list.csv", rows(3))
	b.post(http.StatusSeeOther, same, "start", "now")
	if info, err := h.ledger.Info(t.Context(), "spring"); err != nil || info.Total != 3 || info.Phase != campaign.Paused {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestNewCampaign_IsForItsOwnerAndForKeysThatMaySubmit(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit)
	at := b.review(someFile, "list.csv", rows(3))
	other := h.login(t, "otto", access.Read, access.Submit)
	other.get(http.StatusNotFound, at)
	other.post(http.StatusNotFound, at, "start", "now")
	reader := h.login(t, "rita", access.Read, access.Control, access.People)
	reader.get(http.StatusForbidden, "/new")
	reader.get(http.StatusForbidden, at)
	reader.files(http.StatusForbidden, "/new", "campaign=c.yaml", someFile, "list=list.csv", rows(3))
	reader.post(http.StatusForbidden, at, "start", "now")
	h.none(t)
}

// The list is people's data: no name of it stays on the disk, and after its time
// no one gets it back.
func TestNewCampaign_TheFilesGo(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	h := open(t, func(o *console.Options) { o.UploadLife = 2 * time.Second })
	b := h.login(t, "olga", access.Read, access.Submit)
	at := b.review(someFile, "list.csv", rows(3))
	b.get(http.StatusOK, at)
	if files, err := filepath.Glob(filepath.Join(dir, "handout-*")); err != nil || len(files) > 0 {
		t.Errorf("on the disk: %v, %v", files, err)
	}
	await(t, "the files are gone", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+at, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusNotFound
	})
	b.post(http.StatusNotFound, at, "start", "now")
	h.none(t)
}

func TestNewCampaign_AHundredThousandPeople(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit)
	at := b.review(someFile, "list.csv", rows(100_000))
	b.see(b.get(http.StatusOK, at), "100,000")
	b.post(http.StatusSeeOther, at, "start", "paused")
	if info, err := h.ledger.Info(t.Context(), "spring"); err != nil || info.Total != 100_000 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestNewCampaign_AListThatIsTooLongIsToldSo(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *console.Options) { o.MaxUpload = 2 << 20 })
	b := h.login(t, "olga", access.Read, access.Submit)
	a := b.files(http.StatusRequestEntityTooLarge, "/new", "campaign=c.yaml", someFile, "list=list.csv", strings.Repeat(rows(1000), 200))
	b.see(a, "longer than 2 MB")
	b.files(http.StatusSeeOther, "/new", "campaign=c.yaml", someFile, "list=list.csv", rows(1000))
	h.none(t)
}

func TestNewCampaign_ManyUploadsPushTheOldestOut(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit)
	var at []string
	for range 9 {
		at = append(at, b.review(someFile, "list.csv", rows(3)))
	}
	b.get(http.StatusNotFound, at[0])
	b.get(http.StatusOK, at[1])
	b.get(http.StatusOK, at[8])
}

// await polls until what is hoped for is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	const most = 90 * time.Second
	for deadline := time.Now().Add(most); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", most, what)
		}
	}
}
