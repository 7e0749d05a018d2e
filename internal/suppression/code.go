package suppression

import "github.com/handout-dev/handout/telesign"

// WhyReceipt returns why a receipt puts its recipient on the list, if it does: by its
// status, or by the status of any of its legs.
func WhyReceipt(r telesign.Receipt) (Why, bool) {
	if why, ok := WhyCode(r.Status.Code); ok {
		return why, true
	}
	for _, l := range r.Legs {
		if why, ok := WhyCode(l.Code); ok {
			return why, true
		}
	}
	return 0, false
}

// WhyCode returns why a code puts its recipient on the list, if it does.
func WhyCode(c telesign.Code) (Why, bool) {
	if c == telesign.CodeBlockedByRequest {
		return WhyBlocklist, true
	}
	return WhyBlocked, c.OptOut()
}
