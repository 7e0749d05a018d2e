package suppression

import "github.com/handout-dev/handout/telesign"

// WhyReceipt says why nobody may write to a receipt's recipient again, if it says
// so: by its status, or by any leg of it.
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

// WhyCode is OptOut for a single code.
func WhyCode(c telesign.Code) (Why, bool) {
	switch {
	case !c.OptOut():
		return 0, false
	case c == telesign.CodeBlockedByRequest:
		return WhyBlocklist, true
	}
	return WhyBlocked, true
}
