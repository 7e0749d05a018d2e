package callbacks

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// Verifiers are those of each account's keys, by its name: of the current one, and of
// the one before while it is good.
type Verifiers map[string][]*telesign.Verifier

// signers are the accounts whose key has signed a receipt: several where two are senders
// of one account of Telesign's. nil: it isn't signed, and isn't required to be.
type signers []string

// speakFor reports whether a receipt of these signers may be about a campaign.
func (s signers) speakFor(c *campaign.Info) bool {
	return s == nil || slices.Contains(s, c.Spec.AccountName())
}

// verify returns whose signature a callback has.
func (all Verifiers) verify(h http.Header, body []byte) (signers, error) {
	var by signers
	err := telesign.ErrUnsigned
	for account, verifiers := range all {
		for _, v := range verifiers {
			switch one := v.Verify(h, body); {
			case one == nil:
				by = append(by, account)
			case says(one) > says(err):
				err = one
			}
		}
	}
	if by != nil {
		slices.Sort(by)
		return slices.Compact(by), nil
	}
	return nil, err
}

// says is how much an error of a verifier says: that of another account's names another
// customer.
func says(err error) int {
	return slices.IndexFunc([]error{telesign.ErrUnsigned, telesign.ErrWrongCustomer, telesign.ErrMalformedSignature, telesign.ErrSignatureMismatch, telesign.ErrEmptyBody},
		func(known error) bool { return errors.Is(err, known) })
}

// anySigner stands for nil in what is kept.
const anySigner = "*"

// keep returns a receipt as it is kept with its signers: a line of them, which the
// default account alone does without.
func (s signers) keep(body []byte) []byte {
	switch {
	case s == nil:
		s = signers{anySigner}
	case len(s) == 1 && s[0] == campaign.DefaultAccount:
		return body
	}
	return append([]byte(strings.Join(s, ",")+"\n"), body...)
}

// kept takes apart what keep has made. No receipt begins as a name does: it is a JSON
// object.
func kept(text string) (signers, []byte) {
	names, body, ok := strings.Cut(text, "\n")
	if trimmed := strings.TrimSpace(text); !ok || strings.HasPrefix(trimmed, "{") {
		return signers{campaign.DefaultAccount}, []byte(text)
	}
	if names == anySigner {
		return nil, []byte(body)
	}
	return strings.Split(names, ","), []byte(body)
}
