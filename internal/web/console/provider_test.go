package console_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/console"
	"github.com/handout-dev/handout/internal/web/oidc"
)

// provider is an OpenID Connect provider with a house that it lets people into.
type provider struct {
	*house
	t    *testing.T
	mock *mockoidc.MockOIDC
	log  *audit.Log
	// forge replaces the ID token of an answer.
	forge atomic.Pointer[func(token string) string]
}

// someone is a person at the provider.
type someone struct {
	mockoidc.MockUser
	// change changes what the ID token says.
	change func(*mockoidc.IDTokenClaims)
	// silent: the token has neither name nor groups, which UserInfo has.
	silent bool
}

func (s *someone) Claims(scopes []string, c *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	if s.change != nil {
		s.change(c)
	}
	if s.silent {
		return c, nil
	}
	return s.MockUser.Claims(scopes, c)
}

func person(name string, groups ...string) *someone {
	return &someone{MockUser: mockoidc.MockUser{Subject: "subject-of-" + name, PreferredUsername: name, Groups: groups}}
}

const groups = "ops=read,control;support=read;admins=read,submit,control,people"

func withProvider(t *testing.T) *provider {
	t.Helper()
	mock, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, mock: mock}
	if err := mock.AddMiddleware(p.forging); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = mock.Start(listener, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mock.Shutdown() })
	p.house = open(t, func(o *console.Options) { p.admit(o, mock.Issuer(), groups) })
	p.log = audit.New(p.rdb, audit.Options{})
	return p
}

// admit has a console admit people of a provider.
func (p *provider) admit(o *console.Options, issuer, groups string) {
	p.t.Helper()
	scopes, err := access.ParseGroups(groups)
	if err != nil {
		p.t.Fatal(err)
	}
	log := audit.New(o.Redis, audit.Options{})
	o.Gate = &access.Gate{Keys: access.NewKeys(o.Redis), OnEntered: log.Login, OnRefused: func(ctx context.Context, from, name string, why error) {
		if err := log.RefuseLogin(ctx, from, name, why); err != nil {
			p.t.Error(err)
		}
	}}
	o.Gate.Keys.Groups = access.Groups{Issuer: issuer, Scopes: scopes}
	o.Provider = oidc.New(oidc.Options{
		Issuer: issuer, ClientID: p.mock.ClientID, ClientSecret: p.mock.ClientSecret,
		Console: "http://console.example.com/", GroupsClaim: "groups",
	})
}

// forging puts the token that forge makes into the token endpoint's answers.
func (p *provider) forging(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forge := p.forge.Load()
		if forge == nil || r.URL.Path != mockoidc.TokenEndpoint {
			next.ServeHTTP(w, r)
			return
		}
		kept := httptest.NewRecorder()
		next.ServeHTTP(kept, r)
		var answer map[string]any
		if err := json.Unmarshal(kept.Body.Bytes(), &answer); err != nil {
			p.t.Errorf("the token endpoint: %v", err)
		}
		if token, ok := answer["id_token"].(string); ok {
			answer["id_token"] = (*forge)(token)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			p.t.Error(err)
		}
		maps.Copy(w.Header(), kept.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(kept.Code)
		_, _ = w.Write(text)
	})
}

// toProvider begins a login, has the person log in at the provider, and returns the
// address to which the browser is sent back: its path and query.
func (p *provider) toProvider(b *browser, who *someone, begin string) string {
	p.t.Helper()
	to, err := url.Parse(b.get(http.StatusSeeOther, begin).header.Get("Location"))
	if err != nil {
		p.t.Fatal(err)
	}
	if asks := to.Query(); asks.Get("code_challenge_method") != "S256" || asks.Get("nonce") == "" || asks.Get("state") == "" || asks.Get("nonce") == asks.Get("state") {
		p.t.Errorf("it asks for %v", asks)
	}
	p.mock.QueueUser(who)
	resp, err := b.http.Get(to.String())
	if err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil || resp.StatusCode != http.StatusFound || back.Path != oidc.CallbackPath {
		p.t.Fatalf("the provider: %s, %v, %v", resp.Status, back, err)
	}
	return back.RequestURI()
}

// enter is a browser in which a person has logged in.
func (p *provider) enter(who *someone) *browser {
	p.t.Helper()
	b := p.browser(p.t)
	if a := b.get(http.StatusSeeOther, p.toProvider(b, who, "/login/oidc")); a.header.Get("Location") != "/campaigns" {
		p.t.Fatalf("after the login it goes to %q", a.header.Get("Location"))
	}
	return b
}

// entries are those of the audit trail, the latest first.
func (p *provider) entries() []audit.Entry {
	p.t.Helper()
	all, _, err := p.log.Latest(p.t.Context(), "", 100)
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// session is the value of a browser's session; empty: it has none.
func (b *browser) session() string {
	b.t.Helper()
	at, err := url.Parse(b.h.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.http.Jar.Cookies(at) {
		if c.Name == access.SessionCookie {
			return c.Value
		}
	}
	return ""
}

func TestProvider_LetsPeopleInByTheirGroups(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	info := p.submit(t, "spring", 2, true, "")
	b := p.browser(t)
	b.see(b.get(http.StatusOK, "/login?next=/campaigns/spring"), `id="provider"`, `href="/login/oidc?next=%2fcampaigns%2fspring"`, `name="key"`)
	back := p.toProvider(b, person("anna", "staff", "ops"), "/login/oidc?next=/campaigns/spring")
	// The provider's page sends the browser: it keeps Strict cookies back until ours asks.
	b.header.Set("Sec-Fetch-Site", "cross-site")
	if a := b.get(http.StatusOK, back); a.header.Get("Refresh") != "0; url="+back || b.session() != "" {
		t.Errorf("%v", a.header)
	}
	b.header.Set("Sec-Fetch-Site", "same-origin")
	if a := b.get(http.StatusSeeOther, back); a.header.Get("Location") != "/campaigns/spring" {
		t.Errorf("it goes to %q", a.header.Get("Location"))
	}
	name := "anna@" + strings.TrimPrefix(strings.TrimSuffix(p.mock.Issuer(), "/oidc"), "http://")
	a := b.get(http.StatusOK, "/campaigns/spring")
	b.see(a, "<span>"+name+"</span>", "/campaigns/spring/cancel")
	b.miss(a, `href="/keys"`, `href="/new"`)
	b.see(b.get(http.StatusForbidden, "/keys"), "the groups of "+name+" lack some")
	b.see(b.get(http.StatusForbidden, "/new"), "The groups of "+name+" lack the scope submit")
	b.post(http.StatusSeeOther, "/campaigns/spring/pause")
	history, err := p.ledger.History(t.Context(), info.ID)
	if err != nil || !slices.ContainsFunc(history, func(e campaign.Entry) bool { return e.Verb == "paused" && e.By == name }) {
		t.Errorf("the history: %+v, %v", history, err)
	}
	for _, verb := range []string{"log in", "pause"} {
		all := p.entries()
		i := slices.IndexFunc(all, func(e audit.Entry) bool { return e.Verb == verb })
		if i < 0 || all[i].Who != name || all[i].By != p.mock.Issuer()+" subject-of-anna" || all[i].Via != access.ViaSession || all[i].From == "" {
			t.Errorf("%s: the trail: %+v", verb, all)
		}
	}
	b.post(http.StatusSeeOther, "/logout")
	b.get(http.StatusSeeOther, "/campaigns")
}

func TestProvider_AllScopesMakeKeys(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	who := person("adele@example.com", "admins")
	b := p.enter(who)
	b.see(b.get(http.StatusOK, "/keys"), "<span>adele@example.com</span>")
}

func TestProvider_RefusesInWordsWhoIsInNoGroup(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	for _, who := range []*someone{person("mallory"), person("mallory", "OPS", "operations", "ops=read")} {
		b := p.browser(t)
		b.see(b.get(http.StatusForbidden, p.toProvider(b, who, "/login/oidc")), "mallory@", "in no group that may use handout")
		if b.session() != "" {
			t.Error("there is a session")
		}
		b.get(http.StatusSeeOther, "/campaigns")
	}
	if all := p.entries(); len(all) != 2 || all[0].Result != audit.Refused || !strings.Contains(all[0].Why, p.mock.Issuer()+" subject-of-mallory") {
		t.Errorf("the trail: %+v", all)
	}
}

func TestProvider_IsAskedForWhatTheTokenLacks(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	who := person("anna", "support")
	who.silent = true
	p.enter(who)
	if all := p.entries(); !strings.HasPrefix(all[0].Who, "anna@") || all[0].Object != "with read" {
		t.Errorf("the trail: %+v", all)
	}
}

// A name is what the person may have chosen at the provider.
func TestProvider_APersonsNameIsNoKeys(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	p.key(t, "billing", access.Scopes()...)
	for name, want := range map[string]string{
		"billing": "billing@", "": "subject-of-@", " bill\u202eing\n<b>@example.com ": "billing <b>@example.com",
		strings.Repeat("x", 300): strings.Repeat("x", 24), strings.Repeat("x", 300) + "@example.com": strings.Repeat("x", 47) + "@",
	} {
		who := person(name, "ops")
		if name == "" {
			who.Email = "billing@example.com" // unverified
		}
		p.enter(who)
		if got := p.entries()[0].Who; !strings.HasPrefix(got, want) || !strings.Contains(got, "@") || len([]rune(got)) > 48 {
			t.Errorf("%q is %q", name, got)
		}
	}
	one, two := access.Key{Name: "a@b", Issuer: "i", Subject: "s"}, access.Key{Name: "a@b", Issuer: "i", Subject: "t"}
	if one.Principal() == two.Principal() || len(one.Principal()) > 64 {
		t.Errorf("two people are one: %s, %s", one.Principal(), two.Principal())
	}
}

func TestProvider_RefusesAnswersOfOtherLogins(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	b := p.browser(t)
	back := p.toProvider(b, person("anna", "ops"), "/login/oidc")
	parts, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) string {
		q := parts.Query()
		q.Set(name, value)
		return parts.Path + "?" + q.Encode()
	}
	// Who reads the address in a log, or has the victim follow it, has another browser.
	other := p.browser(t)
	other.see(other.get(http.StatusUnauthorized, back), "begun in another browser")
	victim := p.browser(t)
	p.toProvider(victim, person("victoria", "ops"), "/login/oidc")
	victim.see(victim.get(http.StatusUnauthorized, back), "begun in another browser")
	// A code that was stolen from a login of another browser doesn't fit this one's verifier.
	thief := p.browser(t)
	own, err := url.Parse(p.toProvider(thief, person("mallory"), "/login/oidc"))
	if err != nil {
		t.Fatal(err)
	}
	thief.see(thief.get(http.StatusUnauthorized, own.Path+"?"+url.Values{"state": own.Query()["state"], "code": parts.Query()["code"]}.Encode()), "begin it again")
	// The code is used up by that, as it should be. Anna logs in anew.
	back = p.toProvider(b, person("anna", "ops"), "/login/oidc")
	if parts, err = url.Parse(back); err != nil {
		t.Fatal(err)
	}
	b.get(http.StatusSeeOther, back)
	// In the same browser, once more: it was good once.
	b.see(b.get(http.StatusUnauthorized, back), "begun in another browser")
	for name, attack := range map[string]string{
		"another state": with("state", parts.Query().Get("nonce")), "no state": with("state", ""), "nothing": parts.Path,
	} {
		b := p.browser(t)
		p.toProvider(b, person("anna", "ops"), "/login/oidc")
		if b.get(http.StatusUnauthorized, attack); b.session() != "" {
			t.Errorf("%s: there is a session", name)
		}
	}
	// What a provider says of an error is anyone's text: only the code is shown.
	b = p.browser(t)
	if parts, err = url.Parse(p.toProvider(b, person("anna", "ops"), "/login/oidc")); err != nil {
		t.Fatal(err)
	}
	a := b.get(http.StatusUnauthorized, parts.Path+"?"+url.Values{"state": parts.Query()["state"], "error": {"access_denied"}, "error_description": {"Call 555-0100"}}.Encode())
	b.see(a, "access_denied")
	b.miss(a, "555-0100")
}

func TestProvider_RefusesTokensThatArentGood(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	encode := base64.RawURLEncoding.EncodeToString
	resigned := func(header string, sign func(text string) string) func(string) string {
		return func(token string) string {
			text := encode([]byte(header)) + "." + strings.Split(token, ".")[1]
			return text + "." + sign(text)
		}
	}
	by := func(secret []byte) func(string) string {
		return func(text string) string {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(text))
			return encode(mac.Sum(nil))
		}
	}
	stranger, err := mockoidc.RandomKeypair(2048)
	if err != nil {
		t.Fatal(err)
	}
	kid, err := p.mock.Keypair.KeyID()
	if err != nil {
		t.Fatal(err)
	}
	public, err := p.mock.Keypair.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	ago := jwt.NewNumericDate(time.Now().Add(-time.Minute))
	for name, attack := range map[string]struct {
		change func(*mockoidc.IDTokenClaims)
		forge  func(token string) string
	}{
		"another nonce":        {change: func(c *mockoidc.IDTokenClaims) { c.Nonce = "another" }},
		"no nonce":             {change: func(c *mockoidc.IDTokenClaims) { c.Nonce = "" }},
		"another audience":     {change: func(c *mockoidc.IDTokenClaims) { c.Audience = jwt.ClaimStrings{"another"} }},
		"two audiences":        {change: func(c *mockoidc.IDTokenClaims) { c.Audience = append(c.Audience, "another") }},
		"expired":              {change: func(c *mockoidc.IDTokenClaims) { c.ExpiresAt = ago }},
		"no end":               {change: func(c *mockoidc.IDTokenClaims) { c.ExpiresAt = nil }},
		"another issuer":       {change: func(c *mockoidc.IDTokenClaims) { c.Issuer = "https://id.example.com" }},
		"the issuer with /":    {change: func(c *mockoidc.IDTokenClaims) { c.Issuer += "/" }},
		"no subject":           {change: func(c *mockoidc.IDTokenClaims) { c.Subject = "" }},
		"no token":             {forge: func(string) string { return "" }},
		"unsigned":             {forge: resigned(`{"alg":"none"}`, func(string) string { return "" })},
		"unsigned, but signed": {forge: resigned(`{"alg":"none","kid":"`+kid+`"}`, by(nil))},
		"by the secret":        {forge: resigned(`{"alg":"HS256","kid":"`+kid+`"}`, by([]byte(p.mock.ClientSecret)))},
		"by the public key":    {forge: resigned(`{"alg":"HS256","kid":"`+kid+`"}`, by(public))},
		"by another key": {forge: func(token string) string {
			claims := jwt.MapClaims{}
			if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
				t.Error(err)
			}
			forged, err := stranger.SignJWT(claims)
			if err != nil {
				t.Error(err)
			}
			return forged
		}},
		"changed after it was signed": {forge: func(token string) string {
			parts := strings.Split(token, ".")
			text, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err != nil || !bytes.Contains(text, []byte("support")) {
				t.Errorf("%s, %v", text, err)
			}
			parts[1] = encode(bytes.ReplaceAll(text, []byte("support"), []byte("admins")))
			return strings.Join(parts, ".")
		}},
	} {
		who := person("anna", "support")
		who.change = attack.change
		p.forge.Store(nil)
		if attack.forge != nil {
			p.forge.Store(&attack.forge)
		}
		b := p.browser(t)
		if b.get(http.StatusUnauthorized, p.toProvider(b, who, "/login/oidc")); b.session() != "" {
			t.Errorf("%s: there is a session", name)
		}
	}
	p.forge.Store(nil)
	p.enter(person("anna", "support")) // and without any of it she gets in
}

func TestProvider_LeadsNowhereElse(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	for _, next := range []string{"https://evil.example.com/", "//evil.example.com", `/\evil.example.com`, "/\t/evil.example.com", "javascript:alert(1)"} {
		b := p.browser(t)
		begin := "/login/oidc?next=" + url.QueryEscape(next)
		if a := b.get(http.StatusSeeOther, p.toProvider(b, person("anna", "ops"), begin)); a.header.Get("Location") != "/campaigns" {
			t.Errorf("%q leads to %q", next, a.header.Get("Location"))
		}
	}
}

func TestProvider_ALoginMakesAnotherSession(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	b := p.login(t, "mallory", access.Read) // planted by someone who knows it, say
	planted := b.session()
	b.get(http.StatusSeeOther, p.toProvider(b, person("anna", "ops"), "/login/oidc"))
	if b.session() == planted || b.session() == "" {
		t.Error("the session is the same")
	}
	if _, err := p.keys.Session(t.Context(), planted, true, time.Now()); err == nil {
		t.Error("the one before is good still")
	}
}

func TestProvider_LogoutIsRefusedFromOtherSites(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	b := p.enter(person("anna", "ops"))
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example.com"}}} {
		b.header = header
		b.post(http.StatusForbidden, "/logout")
	}
	b.header = http.Header{}
	b.get(http.StatusNotFound, "/logout")
	b.get(http.StatusOK, "/campaigns")
}

// A person's groups are as of the login; what a group may do, as of each request.
func TestProvider_AGroupThatIsTakenAwayEnds(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	b := p.enter(person("anna", "ops", "support"))
	elsewhere := func(issuer, groups string) *browser {
		other := open(t, func(o *console.Options) {
			o.Redis = p.rdb
			p.admit(o, issuer, groups)
		})
		at, err := url.Parse(other.url)
		if err != nil {
			t.Fatal(err)
		}
		c := other.browser(t)
		c.http.Jar.SetCookies(at, []*http.Cookie{{Name: access.SessionCookie, Value: b.session()}})
		return c
	}
	same := elsewhere(p.mock.Issuer(), groups)
	same.get(http.StatusOK, "/campaigns")
	fewer := elsewhere(p.mock.Issuer(), "support=read")
	fewer.get(http.StatusOK, "/campaigns")
	fewer.get(http.StatusForbidden, "/campaigns/spring/cancel")
	elsewhere(p.mock.Issuer(), "others=read").get(http.StatusSeeOther, "/campaigns")
	elsewhere("http://127.0.0.1:1/another", groups).get(http.StatusSeeOther, "/campaigns") // whose ops others are
	if err := p.keys.EndSessions(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	b.get(http.StatusSeeOther, "/campaigns")
	// At the next login the provider says that she isn't in it any more.
	left := p.browser(t)
	left.get(http.StatusForbidden, p.toProvider(left, person("anna"), "/login/oidc"))
	back := p.enter(person("anna", "support"))
	back.get(http.StatusOK, "/campaigns")
}

func TestProvider_ThatIsAwayLeavesKeys(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	if err := p.mock.Shutdown(); err != nil {
		t.Fatal(err)
	}
	b := p.browser(t)
	b.see(b.get(http.StatusOK, "/login"), `id="provider"`)
	b.see(b.get(http.StatusBadGateway, "/login/oidc"), "the provider "+p.mock.Issuer()+" can&#39;t be reached", "A key lets you in meanwhile", `name="key"`)
	b.post(http.StatusSeeOther, "/login", "key", p.key(t, "olga", access.Read))
	b.get(http.StatusOK, "/campaigns")
	// It comes back.
	listener, err := net.Listen("tcp", strings.TrimSuffix(strings.TrimPrefix(p.mock.Issuer(), "http://"), "/oidc"))
	if err != nil {
		t.Fatal(err)
	}
	p.mock.Server = nil
	if err := p.mock.Start(listener, nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; <-time.After(100 * time.Millisecond) {
		resp, err := b.http.Get(p.url + "/login/oidc")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusSeeOther {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is asked no more: %s", resp.Status)
		}
	}
}

func TestProvider_WhoCantBeTracedIsntLetIn(t *testing.T) {
	t.Parallel()
	p := withProvider(t)
	b := p.browser(t)
	back := p.toProvider(b, person("anna", "ops"), "/login/oidc")
	if err := p.rdb.Set(t.Context(), "handout:audit:{trail}:head", "not a hash", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if b.get(http.StatusServiceUnavailable, back); b.session() != "" {
		t.Error("there is a session")
	}
}

func TestProvider_WithoutOneNothingShows(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.browser(t)
	b.miss(b.get(http.StatusOK, "/login"), `id="provider"`, "oidc")
	b.get(http.StatusNotFound, "/login/oidc")
	b.get(http.StatusNotFound, oidc.CallbackPath+"?state=a&code=b")
}
