package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/translate"
)

var functions = template.FuncMap{
	"asset":   asset,
	"count":   count,
	"percent": percent,
	"plural":  plural,
	"when":    when,
	"words":   words,
	"seconds": func(n int) string { return campaign.FormatDuration(time.Duration(n) * time.Second) },
	// about is the same view with other data, for a part of a page.
	"about": func(v *view, data any) *view {
		other := *v
		other.Data = data
		return &other
	},
	"states":  campaign.States,
	"means":   func(s campaign.State) string { return statesInWords[s] },
	"channel": channelName,
	"said":    translate.Words,
	"rank":    func(r campaign.Rank) string { return rankWords[r] },
	"what":    what,
	"lines":   operations.DuplicateLines,
	"zone":    operations.ZoneName,
	"indent": func(sample json.RawMessage) (string, error) {
		var b bytes.Buffer
		err := json.Indent(&b, sample, "", "  ")
		return b.String(), err
	},
	"note":   note,
	"future": func(t time.Time) bool { return t.After(time.Now()) },
}

func count(n int) string {
	text := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, text = "−", text[1:]
	}
	var b strings.Builder
	for i, c := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteRune('\u202f') // a narrow space that doesn't break
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// spaced is what a history's verb was done with, as pages write it: a count of
// recipients with its thousands apart, a time as when has it.
func spaced(about string) string {
	number, rest, _ := strings.Cut(about, " ")
	if n, err := strconv.Atoi(number); err == nil {
		return strings.TrimSuffix(count(n)+" "+rest, " ")
	}
	if at, err := time.Parse(time.RFC3339, about); err == nil {
		return when(at)
	}
	return about
}

// percent is a part of a whole; a part that isn't all is never said to be, nor
// one that is something nothing.
func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	p := 100 * float64(part) / float64(whole)
	switch {
	case part > 0 && p < 0.1:
		return "<0.1 %"
	case part < whole && p > 99.9:
		return ">99.9 %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

func words(state string) string { return strings.ReplaceAll(state, "_", " ") }

type bar struct {
	Parts []part
	Words string // for who doesn't see it
}

// part is one outcome in a bar. Key names its colour and pattern in console.css.
type part struct {
	Key, Name string
	Count     int
	X, Width  float64
}

// barOf is the bar of a balance: each person stands in one of its parts.
func barOf(b *campaign.Balance) bar {
	parts := []part{
		{Key: "whatsapp", Name: "WhatsApp", Count: b.By[campaign.ByWhatsApp]},
		{Key: "sms", Name: "SMS", Count: b.By[campaign.BySMS]},
		{Key: "both", Name: "both", Count: b.By[campaign.ByBoth]},
		{Key: "other", Name: "other channel", Count: b.By[campaign.ByOther]},
		{Key: "failed", Name: "failed or refused", Count: b.Of(campaign.Failed) + b.Of(campaign.Refused)},
		{Key: "unconfirmed", Name: "unconfirmed", Count: b.Of(campaign.Unconfirmed)},
		{Key: "doubt", Name: "in doubt", Count: b.Of(campaign.InDoubt)},
		{Key: "never", Name: "never sent", Count: b.Of(campaign.Suppressed) + b.Of(campaign.Canceled)},
		{Key: "way", Name: "under way", Count: b.Of(campaign.Claimed) + b.Of(campaign.Retrying) + b.Of(campaign.Accepted)},
		{Key: "planned", Name: "planned", Count: b.Of(campaign.Planned)},
	}
	total := b.Total()
	var out bar
	var said []string
	x := 0.0
	for _, p := range parts {
		if p.Count == 0 {
			continue
		}
		p.X, p.Width = x, 1000*float64(p.Count)/float64(total)
		x += p.Width
		out.Parts = append(out.Parts, p)
		said = append(said, p.Name+" "+count(p.Count))
	}
	out.Words = "Of " + count(total) + " people: " + strings.Join(said, ", ")
	return out
}

//go:embed assets
var assets embed.FS

// assetHandler serves what pages load. The addresses change with the content, so
// that browsers may keep it.
func assetHandler() http.Handler {
	files := http.FileServerFS(assets)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f, err := fs.Stat(assets, strings.TrimPrefix(r.URL.Path, "/")); err != nil || f.IsDir() {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		files.ServeHTTP(w, r)
	})
}

func asset(name string) (string, error) {
	content, err := assets.ReadFile("assets/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return "/assets/" + name + "?" + hex.EncodeToString(sum[:6]), nil
}
