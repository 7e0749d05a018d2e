package translate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/telesign"
)

func TestHoldAdvice_SaysWhatToDoAboutEachFaultOfTheAccount(t *testing.T) {
	t.Parallel()
	n := 0
	for _, code := range codes() {
		advice := translate.HoldAdvice(translate.HoldReason(code))
		if code.Kind() == telesign.KindAccount {
			n++
			if !strings.Contains(advice, "then resume") {
				t.Errorf("%d %s: %q", code, code.Text(), advice)
			}
		} else if advice != "" {
			t.Errorf("%d %s, which holds nothing: %q", code, code.Text(), advice)
		}
	}
	if n < 15 {
		t.Errorf("%d codes are the account's", n)
	}
}

func TestHoldAdvice_KnowsEveryReasonOfHandouts(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		"Telesign: HTTP 403":                          "doctor --live",
		"10 doubts in a row: Telesign doesn't answer": "doctor --live",
		"61 of the last 140 outcomes failed or were refused, more than 30 % of 200":          "Look at the reasons",
		"files: 3 of 20 can't be sent: 403 Forbidden (4.17)":                                 "Mend the files",
		"canary: 70 of 100 delivered, 80 % are needed":                                       "sends to the others",
		campaign.RestoredReason(time.Unix(0, 0), false):                                      "handout recover",
		translate.TemplateHoldReason(3855, telesign.TemplateName{Channel: "sms", Name: "x"}): "", // it says it itself
		translate.ProxyHoldReason("the proxy answers 407"):                                   "HANDOUT_PROXY_URL",
		"something of a version to come":                                                     "",
	} {
		if got := translate.HoldAdvice(reason); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q", reason, got)
		}
	}
}

func TestAdvice_NamesTheFileOfAccountsForAnotherThanTheDefault(t *testing.T) {
	t.Parallel()
	held := &campaign.Info{Reason: translate.HoldReason(3411), Spec: &campaign.Spec{}}
	if got := translate.Advice(held); got != "Correct TELESIGN_API_KEY, restart the workers, then resume." {
		t.Error(got)
	}
	held.Spec.Account = "us"
	if got := translate.Advice(held); got != "Correct api_key of the account us in the file of accounts, restart the workers, then resume." {
		t.Error(got)
	}
	held.Reason = translate.NoAccount("us")
	if got := translate.Advice(held); !strings.Contains(got, "docs/accounts.md") {
		t.Error(got)
	}
}
