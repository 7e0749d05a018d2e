// Package oidc logs people in through an OpenID Connect provider: the authorization code
// flow with PKCE (RFC 7636), a state and a nonce. It keeps nothing of a login that is
// under way: state, nonce and verifier come from one secret, which stands in a cookie of
// the browser that has begun it, so who asks for logins in a loop fills nothing.
package oidc

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/web/access"
)

// Options are what a provider needs to know of us, and we of it. All but Route are required.
type Options struct {
	Issuer       string // as the provider writes it, see [Options.Faults]
	ClientID     string
	ClientSecret string
	Console      string          // the console's URL, to which the provider sends browsers back
	GroupsClaim  string          // the claim that has a person's groups
	Route        *outbound.Route // to the provider; nil: straight
}

// CallbackPath is the console's path to which the provider sends browsers back.
const CallbackPath = "/login/oidc/callback"

// Provider is an OpenID Connect provider. It is asked for its addresses at the first
// login, so that it needn't be there when a console starts. It is safe for concurrent
// use.
type Provider struct {
	o      Options
	client *http.Client

	mu    sync.Mutex
	known *known // nil: it hasn't been asked, or had no answer
	wrong error  // the last answer
	asked time.Time
}

// known is what a provider has said of itself.
type known struct {
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	config   oauth2.Config
}

const (
	// patience is how long a provider has for one answer; a page has 30 s.
	patience = 8 * time.Second
	// askAgain is how soon one that didn't answer is asked again: requests that come
	// meanwhile don't wait.
	askAgain = 3 * time.Second
)

// New returns a provider.
func New(o Options) *Provider {
	return &Provider{o: o, client: &http.Client{
		Timeout:   patience,
		Transport: o.Route.Through(&http.Transport{ForceAttemptHTTP2: true, IdleConnTimeout: 30 * time.Second}),
		// No address of a provider's leads on, and a redirected POST would bring the
		// client's secret to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a redirect, which no provider's answer is")
		},
	}}
}

// Host returns the provider's host, by which people know it.
func (p *Provider) Host() string {
	u, err := url.Parse(p.o.Issuer)
	if err != nil {
		return p.o.Issuer
	}
	return u.Host
}

// Error is why a login through the provider failed. Its text is for people. One with the
// cause [access.ErrRefused] is of a login that isn't good; any other says that the
// provider can't be asked.
type Error struct {
	Text string
	Err  error
}

// Error is the text with the cause, for a log.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Text, e.Err) }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// refused is an Error of a login that isn't good. why is for the log and the trace.
func refused(text string, why error) error {
	if why == nil {
		return &Error{text, access.ErrRefused}
	}
	return &Error{text, fmt.Errorf("%w: %w", why, access.ErrRefused)}
}

// ask returns what the provider has said of itself, and asks it if it hasn't.
func (p *Provider) ask(ctx context.Context) (*known, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil {
		return p.known, nil
	}
	if p.wrong != nil && time.Since(p.asked) < askAgain {
		return nil, p.wrong
	}
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.o.Issuer)
	if p.asked = time.Now(); err != nil {
		p.wrong = p.away(err)
		return nil, p.wrong
	}
	var says struct {
		Scopes []string `json:"scopes_supported"`
	}
	if err := found.Claims(&says); err != nil {
		p.wrong = p.away(err)
		return nil, p.wrong
	}
	scopes := []string{oidc.ScopeOpenID, "profile", "email"}
	if slices.Contains(says.Scopes, "groups") { // some refuse a scope that they don't know
		scopes = append(scopes, "groups")
	}
	p.known = &known{
		provider: found,
		// The signatures that the provider names; none and those by a shared secret are
		// refused whatever it names.
		verifier: found.Verifier(&oidc.Config{ClientID: p.o.ClientID}),
		config: oauth2.Config{
			ClientID: p.o.ClientID, ClientSecret: p.o.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: strings.TrimRight(p.o.Console, "/") + CallbackPath, Scopes: scopes,
		},
	}
	return p.known, nil
}

// away is an Error of a provider that can't be asked.
func (p *Provider) away(err error) error {
	text := "the provider " + p.o.Issuer + " gives an answer that can't be used; the console's log says which"
	var network *url.Error
	switch {
	case !errors.As(err, &network):
	case network.Timeout():
		text = "the provider " + p.o.Issuer + " doesn't answer in time"
	default:
		text = "the provider " + p.o.Issuer + " can't be reached"
	}
	return &Error{text, err}
}

// Begin returns the address of the provider's page for a login, and the login's secret:
// it is the browser's that begins it, which has to bring it back to [Provider.Finish].
// Errors: [*Error].
func (p *Provider) Begin(ctx context.Context) (address, secret string, err error) {
	known, err := p.ask(ctx)
	if err != nil {
		return "", "", err
	}
	secret = rand.Text()
	return known.config.AuthCodeURL(derive(secret, "state"), oidc.Nonce(derive(secret, "nonce")),
		oauth2.S256ChallengeOption(derive(secret, "verifier"))), secret, nil
}

// derive returns a value of a login, of 43 characters. Who knows one of them knows
// neither the secret nor another.
func derive(secret, what string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(what))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// errorCode is what a provider says where it lets someone not in (RFC 6749, section
// 4.1.2.1). Its description isn't shown: anyone could write one.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// Finish returns who has logged in. answer is what the browser has brought from the
// provider, secret what Begin has returned. A code is good once: who brings it again is
// refused by the provider. Errors: [*Error].
func (p *Provider) Finish(ctx context.Context, secret string, answer url.Values) (*access.Person, error) {
	if secret == "" || !same(answer.Get("state"), derive(secret, "state")) {
		return nil, refused("this login was begun in another browser or tab, or is over; begin it here", nil)
	}
	if answer.Has("error") {
		text := "the provider didn't let you in"
		if code := answer.Get("error"); errorCode.MatchString(code) {
			text += ": " + code
		}
		return nil, refused(text, nil)
	}
	known, err := p.ask(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := known.config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(derive(secret, "verifier")))
	var no *oauth2.RetrieveError
	switch {
	case errors.As(err, &no) && no.ErrorCode == "invalid_grant":
		return nil, refused("the provider doesn't know this login any more; begin it again", err)
	case err != nil:
		return nil, p.away(err)
	}
	id, err := verify(ctx, known, token, derive(secret, "nonce"), p.o.ClientID)
	var network *url.Error
	switch {
	case errors.As(err, &network): // its keys can't be had
		return nil, p.away(err)
	case err != nil:
		return nil, refused("what the provider says isn't good; the console's log says why", err)
	}
	return p.person(ctx, known, token, id)
}

// verify returns the ID token of an answer if it is good: signed by the provider, for
// us, not over, and of this login (OpenID Connect Core, section 3.1.3.7).
func verify(ctx context.Context, known *known, token *oauth2.Token, nonce, clientID string) (*oidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := known.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var party struct {
		Authorized string `json:"azp"`
	}
	switch err := id.Claims(&party); {
	case err != nil:
		return nil, err
	case !same(id.Nonce, nonce):
		return nil, errors.New("the ID token is of another login: it has another nonce")
	case party.Authorized != "" && party.Authorized != clientID, party.Authorized == "" && len(id.Audience) > 1:
		return nil, errors.New("the ID token was made for another client")
	case id.Subject == "":
		return nil, errors.New("the ID token has no subject")
	}
	return id, nil
}
