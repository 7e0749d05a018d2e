package console

import (
	"strings"

	"github.com/handout-dev/handout/campaign"
)

// bar is a campaign's balance as one bar, 1,000 wide.
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
