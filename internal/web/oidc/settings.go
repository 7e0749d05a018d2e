package oidc

import (
	"errors"
	"net/url"
	"slices"

	"github.com/handout-dev/handout/internal/web/access"
)

// Open returns the provider of these settings, and what people of its groups may do, as
// [access.ParseGroups] reads it; without an issuer nil, and no one.
func Open(o Options, groups string) (*Provider, access.Groups, error) {
	if o.Issuer == "" {
		return nil, access.Groups{}, nil
	}
	scopes, err := access.ParseGroups(groups)
	return New(o), access.Groups{Issuer: o.Issuer, Scopes: scopes}, err
}

// Faults returns what is wrong with the settings, by variable: all of them are set, or
// none.
func (o Options) Faults(groups string) map[string]error {
	faults := make(map[string]error)
	if o.Issuer+o.ClientID+o.ClientSecret+groups == "" {
		return faults
	}
	for name, value := range map[string]string{
		"HANDOUT_OIDC_CLIENT_ID": o.ClientID, "HANDOUT_OIDC_CLIENT_SECRET": o.ClientSecret, "HANDOUT_OIDC_GROUPS_CLAIM": o.GroupsClaim,
	} {
		if value == "" {
			faults[name] = errors.New("is not set, and other variables of the OpenID Connect provider are")
		}
	}
	if o.Console == "" {
		faults["HANDOUT_CONSOLE_URL"] = errors.New("is not set, and the OpenID Connect provider sends browsers back there")
	}
	if err := checkIssuer(o.Issuer); err != nil {
		faults["HANDOUT_OIDC_ISSUER"] = err
	}
	if _, err := access.ParseGroups(groups); err != nil {
		faults["HANDOUT_OIDC_GROUPS"] = err
	}
	return faults
}

// checkIssuer returns what is wrong with an issuer's URL; nil: nothing. By http is for
// rehearsals with a provider on this machine.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	local := err == nil && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && (u.Scheme != "http" || !local)) {
		return errors.New("must be an https URL, as the provider's /.well-known/openid-configuration has it under issuer")
	}
	return nil
}
