package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/handout-dev/handout/internal/web/access"
)

// claims are what a provider says of a person, by name.
type claims map[string]json.RawMessage

func (c claims) text(name string) (s string) {
	_ = json.Unmarshal(c[name], &s)
	return s
}

// list is a claim that is a list of texts; some providers write a single one as a text.
func (c claims) list(name string) (all []string) {
	if json.Unmarshal(c[name], &all) != nil {
		if one := c.text(name); one != "" {
			return []string{one}
		}
		return nil
	}
	return all
}

// person returns who an ID token is of. What it doesn't say is asked for at the
// provider's UserInfo endpoint: not all write groups and names into the token.
func (p *Provider) person(ctx context.Context, known *known, token *oauth2.Token, id *oidc.IDToken) (*access.Person, error) {
	var c claims
	if err := id.Claims(&c); err != nil {
		return nil, p.away(err)
	}
	if (c[p.o.GroupsClaim] == nil || c["preferred_username"] == nil) && known.provider.UserInfoEndpoint() != "" {
		info, err := known.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return nil, p.away(err)
		}
		if info.Subject != id.Subject { // OpenID Connect Core, section 5.3.2
			return nil, refused("what the provider says isn't good; the console's log says why", errors.New("UserInfo is about another person"))
		}
		var more claims
		if err := info.Claims(&more); err != nil {
			return nil, p.away(err)
		}
		for name, value := range more {
			if c[name] == nil {
				c[name] = value
			}
		}
	}
	return &access.Person{Issuer: id.Issuer, Subject: id.Subject, Name: p.name(c, id.Subject), Groups: c.list(p.o.GroupsClaim)}, nil
}

// maxName is how long a person's name may be, in characters: histories keep 64, and
// [access.Key.Principal] adds some.
const maxName = 48

// name is the name that a person has at the provider, else their subject. It has an @,
// so that no key has it.
func (p *Provider) name(c claims, subject string) string {
	name := c.text("preferred_username")
	if name == "" && (string(c["email_verified"]) == "true" || string(c["email_verified"]) == `"true"`) {
		name = c.text("email")
	}
	if name = plain(name); name == "" {
		name = plain(subject)
	}
	if !strings.Contains(name, "@") {
		host := []rune("@" + p.Host())
		host = host[:min(len(host), maxName/2)]
		name = cut(name, maxName-len(host)) + string(host)
	}
	if name = cut(name, maxName); !strings.Contains(name, "@") { // it was cut off
		name = cut(name, maxName-1) + "@"
	}
	return name
}

// plain is a text on one line, without what isn't shown.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsGraphic(r) && r != unicode.ReplacementChar:
			return r
		}
		return -1
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

func cut(text string, n int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), n)])
}
