package callbacks_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// using submits a campaign of three that uses a template of WhatsApp.
func (r *rig) using(id, template string, begin campaign.Beginning) *campaign.Info {
	r.t.Helper()
	file, err := producer.ParseCampaign("", fmt.Appendf(nil, `
id: %s
message_type: MKT
channels:
  - {channel: whatsapp, template: %s}
  - {channel: sms, template: text, parameters: {text: "Hello"}}
`, id, template))
	if err != nil {
		r.t.Fatal(err)
	}
	list := producer.ListReader("", producer.CSV, strings.NewReader("recipient,phone\na,+12015550100\nb,+12015550101\nc,+12015550102\n"))
	result, err := producer.New(r.rdb).Submit(r.t.Context(), file, list, producer.SubmitOptions{Begin: begin})
	if err != nil {
		r.t.Fatal(err)
	}
	return result.Info
}

func (r *rig) phase(id campaign.ID) (campaign.Phase, string) {
	r.t.Helper()
	phase, reason, _, err := r.ledger.Phase(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return phase, reason
}

func aboutTemplate(name string, code int) string {
	return fmt.Sprintf(`{"reference_id":"B56259E45884010488343BAA15FB0002","name":%q,"channel":"whatsapp","language":["en_US"],`+
		`"status":{"code":%d,"description":"x","updated_on":"2022-09-21T14:05:36.181346Z"}}`, name, code)
}

func TestTemplate_ThatIsGoneHoldsTheCampaignsThatUseIt(t *testing.T) {
	t.Parallel()
	for code, words := range map[int]string{3852: "Template rejected by provider", 3853: "Template successfully removed", 3855: "Template disabled by provider"} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			r.using("runs", "wa_bogo", campaign.Beginning{})
			r.using("starts-later", "wa_bogo", campaign.Beginning{StartAt: time.Now().Add(time.Hour)})
			r.using("by-hand", "wa_bogo", campaign.Beginning{Hold: true})
			r.using("other", "wa_other", campaign.Beginning{})
			for range 2 { // Telesign may call again
				if got := r.result(aboutTemplate("wa_bogo", code)); got != "template" {
					t.Fatalf("counted as %q", got)
				}
			}
			want := fmt.Sprintf("Telesign: %d %s: template wa_bogo of whatsapp; resume when", code, words)
			for id, held := range map[campaign.ID]campaign.Phase{
				"runs": campaign.Held, "starts-later": campaign.Held, "by-hand": campaign.Paused, "other": campaign.Running,
			} {
				if phase, reason := r.phase(id); phase != held || strings.HasPrefix(reason, want) != (held == campaign.Held) {
					t.Errorf("%s is %s: %q", id, phase, reason)
				}
			}
			if err := r.ledger.Resume(t.Context(), "starts-later", campaign.Actor{Name: "olga"}, time.Now()); err != nil {
				t.Fatal(err)
			}
			if phase, _ := r.phase("starts-later"); phase != campaign.Running {
				t.Errorf("resumed, it is %s", phase)
			}
		})
	}
}

func TestTemplate_OtherNewsHoldNothing(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.using("runs", "wa_bogo", campaign.Beginning{})
	for _, code := range []int{3850, 3851, 3854, 3856, 3857} {
		if got := r.result(aboutTemplate("wa_bogo", code)); got != "template" {
			t.Errorf("%d is counted as %q", code, got)
		}
	}
	r.hear(aboutTemplate("wa_bogof", 3855))
	if phase, reason := r.phase("runs"); phase != campaign.Running {
		t.Errorf("%s: %q", phase, reason)
	}
}

func TestTemplate_UnsignedNewsAreRefused(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.using("runs", "wa_bogo", campaign.Beginning{})
	if status := r.call(http.MethodPost, aboutTemplate("wa_bogo", 3855), nil); status != http.StatusUnauthorized {
		t.Errorf("answered with %d", status)
	}
	if phase, _ := r.phase("runs"); phase != campaign.Running {
		t.Errorf("%s", phase)
	}
}

func TestReceipt_OfATemplateThatIsGoneHoldsItsCampaign(t *testing.T) {
	t.Parallel()
	r := setup(t)
	held, other := r.stand("held", 3), r.stand("other", 3)
	r.sent(held, 0, 0)
	if got := r.result(receipt("held.0.0.1", 0, 3000, "whatsapp 3855", "sms 3000")); got != "recorded" {
		t.Errorf("counted as %q", got)
	}
	const want = "Telesign: 3855 Template disabled by provider: template file of whatsapp; resume when Telesign has it approved, or cancel and submit the rest with another"
	if phase, reason := r.phase(held.ID); phase != campaign.Held || reason != want {
		t.Errorf("%s: %q", phase, reason)
	}
	if phase, _ := r.phase(other.ID); phase != campaign.Running {
		t.Errorf("another is %s", phase)
	}
	if rec := r.record(held, 0); rec.State != campaign.Delivered || rec.DeliveredBy() != campaign.BySMS {
		t.Errorf("%s by %s", rec.State, rec.DeliveredBy())
	}
	r.closes(held)
}

// Telesign calls again after anything but a 200, so that a listener that couldn't hold
// them, or not all, holds them then.
func TestTemplate_IsCalledAgainWhenTheLedgerCannotBeReached(t *testing.T) {
	t.Parallel()
	r := setup(t, redistest.AppendOnly("always"))
	for _, id := range []string{"first", "second"} {
		r.using(id, "wa_bogo", campaign.Beginning{})
	}
	if err := r.ledger.Hold(t.Context(), "first", "as the first call did before it died", time.Now()); err != nil {
		t.Fatal(err)
	}
	body := aboutTemplate("wa_bogo", 3855)
	r.server.Kill()
	if status := r.call(http.MethodPost, body, signed(t, body)); status != http.StatusServiceUnavailable {
		t.Errorf("answered with %d", status)
	}
	r.server.Restart()
	r.hear(body)
	if phase, reason := r.phase("first"); phase != campaign.Held || !strings.HasPrefix(reason, "as the first") {
		t.Errorf("first: %s: %q", phase, reason)
	}
	if phase, reason := r.phase("second"); phase != campaign.Held || !strings.HasPrefix(reason, "Telesign: 3855 ") {
		t.Errorf("second: %s: %q", phase, reason)
	}
}
