package campaign

import "regexp"

// DefaultAccount is the name of the Telesign account of campaigns that name none.
const DefaultAccount = "default"

// accountForm is short enough for the ID of a standing campaign, see [StandingID].
var accountForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,23}$`)

// AccountForm says in words what the name of an account may be.
const AccountForm = "must be 1 to 24 small letters, digits, - or _, and begin with a letter or digit"

// ValidAccount reports whether a text may be the name of an account.
func ValidAccount(name string) bool { return accountForm.MatchString(name) }

// AccountName is the name of the account that the campaign is sent through.
func (s *Spec) AccountName() string {
	if s.Account == "" {
		return DefaultAccount
	}
	return s.Account
}

// StoredAccount is how a spec has the name of an account: the default is left out, so
// that written and not written are the same content.
func StoredAccount(name string) string {
	if name == DefaultAccount {
		return ""
	}
	return name
}
