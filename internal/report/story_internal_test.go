package report

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// told is a story in a line.
func told(moments []Moment) string {
	var words []string
	for _, m := range moments {
		word := m.What
		if m.Attempt > 0 {
			word += " " + string(rune('0'+m.Attempt))
		}
		if m.What == MomentSettled {
			word += " " + m.State.String()
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestMoments_AreInTheirOrderWithinASecond(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	doubt := func(n int) campaign.Record {
		return campaign.Record{State: campaign.InDoubt, Reason: campaign.ReasonTimeout, Attempt: n, ClaimedAt: at}
	}
	failed := func(n int) campaign.Record {
		return campaign.Record{State: campaign.Failed, Attempt: n, ClaimedAt: at, SettledAt: at}
	}
	resent := campaign.Entry{At: at.Add(400 * time.Millisecond), By: "ann", Verb: momentResent, About: "recipient 0.0"}
	taken := campaign.Entry{At: at.Add(600 * time.Millisecond), By: "ann", Verb: "accepted as sent", About: "recipient 0.0"}
	for name, c := range map[string]struct {
		now     campaign.Record
		past    []campaign.Record
		history []campaign.Entry
		want    string
	}{
		"in doubt": {now: doubt(1), want: "claimed 1, in doubt 1"},
		"a doubt that was sent again": {now: failed(2), past: []campaign.Record{doubt(1)}, history: []campaign.Entry{resent},
			want: "claimed 1, in doubt 1, resent, claimed 2, settled 2 failed"},
		"two resends": {now: doubt(3), past: []campaign.Record{doubt(1), failed(2)}, history: []campaign.Entry{resent, resent},
			want: "claimed 1, in doubt 1, resent, claimed 2, settled 2 failed, resent, claimed 3, in doubt 3"},
		"a history that begins later": {now: failed(3), past: []campaign.Record{failed(1), failed(2)}, history: []campaign.Entry{resent},
			want: "claimed 1, settled 1 failed, claimed 2, settled 2 failed, resent, claimed 3, settled 3 failed"},
		"taken as sent": {
			now:     campaign.Record{State: campaign.Unconfirmed, Reason: campaign.ReasonTakenAsSent, Attempt: 1, ClaimedAt: at, SettledAt: at},
			history: []campaign.Entry{taken}, want: "claimed 1, in doubt 1, accepted as sent, settled 1 unconfirmed",
		},
		"put off, and claimed again": {now: campaign.Record{State: campaign.Claimed, Attempt: 2, ClaimedAt: at, PutOffAt: at}, want: "put off 2, claimed 2"},
		"put off":                    {now: campaign.Record{State: campaign.Retrying, Attempt: 1, ClaimedAt: at, PutOffAt: at}, want: "claimed 1, put off 1"},
	} {
		f := Found{Seen: ledger.Seen{Record: c.now}}
		if got := told(moments(&campaign.Spec{}, f, c.past, c.history)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}
