package translate

import (
	"strconv"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

const (
	correctKey      = "Correct TELESIGN_API_KEY and TELESIGN_CUSTOMER_ID, restart the workers, then resume."
	correctCustomer = "Correct TELESIGN_CUSTOMER_ID, restart the workers, then resume."
	correctHost     = "Correct TELESIGN_URL, or ask Telesign's support which host the account uses; restart the workers, then resume."
)

// accountAdvice is what to do about each code by which Telesign says that the fault is
// our account's. Source: docs/telesign.md, "What to arrange".
var accountAdvice = map[telesign.Code]string{
	3006: "Ask Telesign's support to enable WhatsApp and SMS for the account, then resume.",
	3058: correctHost,
	3073: "Add funds to the account's wallet, then resume.",
	3203: "Remove HANDOUT_CALLBACK_URL and restart the workers, or ask Telesign's support to enable callback URLs in requests; then resume.",
	3206: "Ask Telesign's support to enable the omnichannel product for the account, then resume.",
	3207: "Ask Telesign's support to raise the account's cap, then resume.",
	3400: correctKey,
	3405: correctKey,
	3406: "Ask Telesign's support why the account is suspended, then resume.",
	3408: correctCustomer,
	3409: "Ask Telesign's support to allow the address of the machines on which workers run, then resume.",
	3410: correctCustomer,
	3411: "Correct TELESIGN_API_KEY, restart the workers, then resume.",
	3412: correctKey,
	3413: correctHost,
}

// noAccount begins the reason of NoAccount.
const noAccount = "a worker has no account "

// NoAccount is why a campaign is held whose account a worker doesn't have. It may have
// another file of accounts than the others.
func NoAccount(name string) string { return noAccount + name }

// Advice is [HoldAdvice] for a campaign that is held. Of another account than the default
// it names what stands in the file of accounts, in the place of the variables.
func Advice(c *campaign.Info) string {
	advice := HoldAdvice(c.Reason)
	if c.Spec == nil || c.Spec.Account == "" {
		return advice
	}
	of := " of the account " + c.Spec.Account + " in the file of accounts"
	return strings.NewReplacer(
		"TELESIGN_API_KEY and TELESIGN_CUSTOMER_ID", "api_key and customer_id"+of, "TELESIGN_API_KEY", "api_key"+of, "TELESIGN_CUSTOMER_ID", "customer_id"+of,
		"TELESIGN_URL", "url"+of, "HANDOUT_CALLBACK_URL", "callback_url"+of, "handout doctor --live", "handout account check "+c.Spec.Account,
	).Replace(advice)
}

// HoldAdvice returns what to do about a hold with this reason; empty where the reason
// says it, or is unknown.
func HoldAdvice(reason string) string {
	fault, ofTelesign := strings.CutPrefix(reason, holdPrefix)
	switch {
	case ofTelesign && strings.HasPrefix(fault, "HTTP "):
		return "Ask Telesign what is wrong with handout doctor --live, mend it, then resume."
	case ofTelesign:
		code, _, _ := strings.Cut(fault, " ")
		n, _ := strconv.Atoi(code)
		return accountAdvice[telesign.Code(n)]
	case strings.HasPrefix(reason, noWay):
		return "Compare HANDOUT_PROXY_URL with what the proxy wants, or have it let handout out to Telesign; handout doctor asks it. Then resume."
	case campaign.IsRestored(reason):
		return "Settle by Telesign's report who was sent to since, before you resume: handout recover, and docs/operating.md, \"Restore\"."
	case strings.Contains(reason, "doubts in a row"):
		return "See with handout doctor --live whether Telesign answers, then resume. Who is in doubt isn't sent to again by it."
	case strings.Contains(reason, "outcomes failed or were refused"):
		return "Look at the reasons, mend what is wrong, then resume, or cancel."
	case strings.HasPrefix(reason, noAccount):
		return "Give every machine with workers the file of accounts that has it, restart the workers, then resume: docs/accounts.md."
	case strings.HasPrefix(reason, "canary: "):
		return "Look at the reasons of those who weren't delivered to. Resume sends to the others all the same; cancel ends it."
	case strings.HasPrefix(reason, "files: "):
		return "Mend the files, or their links. Resume sends all the same; cancel ends it."
	}
	return ""
}
