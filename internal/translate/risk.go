package translate

import "github.com/handout-dev/handout/campaign"

// AcceptRisk is what taking somebody for sent to may come to: whoever decides it
// is told so first, on the command line, in the console and in the API's document.
const AcceptRisk = "Telesign may not have taken the message: who is taken for sent to and wasn't, gets nothing."

// ResendRisk is what another attempt may do to somebody in this state; "" for a
// state in which the file certainly didn't arrive.
func ResendRisk(s campaign.State) string {
	switch s {
	case campaign.InDoubt:
		return "Telesign may have taken the message: sent again, it may arrive twice."
	case campaign.Unconfirmed:
		return "Telesign took the message, and nobody knows whether it arrived: sent again, it may arrive twice."
	case campaign.Failed:
		return "A late delivery isn't excluded: sent again, it may arrive twice."
	}
	return ""
}
