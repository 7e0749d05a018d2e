// Package config reads the environment: every variable of handout's, each with its
// default, its meaning and its limits, and the Telesign accounts that they name.
package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/nyaruka/phonenumbers"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/oidc"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/worker"
)

// Config has every environment variable that handout reads. Each is HANDOUT_<NAME>; one
// with a name of its own is read under that name.
type Config struct {
	RedisURL               string      `envconfig:"REDIS_URL" desc:"where Redis is: redis://, rediss://, unix://, Sentinel or Cluster"`
	Prefix                 string      `default:"handout" desc:"what begins every key and queue name in Redis: installations with different ones share a Redis"`
	RedisCA                string      `split_words:"true" desc:"file of the authorities, in PEM, that Redis's certificate must come from; empty: the machine's"`
	RedisCert              string      `split_words:"true" desc:"file of the certificate, in PEM, that is shown to Redis"`
	RedisKey               string      `split_words:"true" desc:"file of its key"`
	RedisReplicas          int         `split_words:"true" default:"0" desc:"replicas of Redis that must have a claim before it is sent, and a receipt before it is confirmed, so that a failover forgets none"`
	MasterKey              secret.Text `split_words:"true" desc:"encrypts in Redis who is in campaigns, and the secrets of webhooks: handout master-key create makes one; empty: nothing is encrypted"`
	MasterKeyPrevious      secret.Text `split_words:"true" desc:"the master key before, while handout master-key rewrap replaces it"`
	KeysURL                secret.Text `envconfig:"HANDOUT_KEYS_URL" desc:"a Redis of its own, without backups, for the campaigns' keys, so that a purge reaches all backups; empty: they are in REDIS_URL's"`
	TelesignCustomerID     string      `envconfig:"TELESIGN_CUSTOMER_ID" desc:"the account's customer ID"`
	TelesignAPIKey         secret.Text `envconfig:"TELESIGN_API_KEY" desc:"the account's API key; also verifies receipts"`
	TelesignPreviousAPIKey secret.Text `envconfig:"TELESIGN_PREVIOUS_API_KEY" desc:"the key before, while Telesign still signs receipts with it"`
	TelesignURL            string      `envconfig:"TELESIGN_URL" default:"https://rest-ww.telesign.com" desc:"Telesign's server, or the simulator's"`
	TelesignAuth           string      `split_words:"true" default:"basic" desc:"how requests are authenticated: basic or digest"`
	Accounts               string      `desc:"the file of more Telesign accounts; empty: there is one"`

	ProxyURL secret.Text `split_words:"true" desc:"proxy for all that handout calls by HTTP, as in http://user:password@proxy.example.com:3128; empty: none, whatever HTTPS_PROXY says"`
	NoProxy  string      `split_words:"true" desc:"hosts that are called without the proxy, separated by commas, written as for NO_PROXY"`
	CAFile   string      `envconfig:"HANDOUT_CA_FILE" desc:"file of authorities, in PEM, that certificates of what handout calls may come from, too"`

	Rate        float64       `default:"10" desc:"messages per second that the account allows, for all workers together"`
	Concurrency int           `default:"128" desc:"sends of the bulk lane in flight in one worker, at most, of each account; urgent ones have a sixteenth more"`
	Window      int           `default:"1000" desc:"recipients of one campaign in the queue, at most"`
	SendTimeout time.Duration `split_words:"true" default:"15s" desc:"time-out of a request to Telesign"`
	CallbackURL string        `split_words:"true" desc:"callback URL sent with each message; the account must allow it (3203); empty: the account's own"`

	ReceiptMargin   time.Duration `split_words:"true" default:"1m" desc:"how long after the fallback times an outcome may take before Telesign is asked for it"`
	ReceiptDeadline time.Duration `split_words:"true" default:"0s" desc:"0s: fallback times plus margin; otherwise this instead, for rehearsals against a fast simulator"`
	Poll            bool          `default:"true" desc:"ask Telesign for outcomes whose receipt hasn't come"`
	PollRate        float64       `split_words:"true" default:"5" desc:"such requests per second"`

	CheckFilesRate    float64 `split_words:"true" default:"5" desc:"files checked per second for campaigns with check_files, by all workers together"`
	CheckFilesPrivate bool    `split_words:"true" default:"false" desc:"such files may be at private addresses"`

	RequireSignature bool   `split_words:"true" default:"true" desc:"refuse receipts without a signature"`
	Region           string `desc:"country whose phone numbers may stand in a list in national form, as in US; empty: international form only"`

	ListenAddr   string `split_words:"true" default:":8080" desc:"where handout listen takes receipts"`
	ConsoleAddr  string `split_words:"true" default:"127.0.0.1:8090" desc:"where handout console serves its pages and the API"`
	ConsoleOpen  bool   `split_words:"true" default:"false" desc:"admit browsers on this machine by a link that is printed at the start, without a key, with all scopes"`
	ConsoleURL   string `split_words:"true" desc:"where browsers reach the console, as in https://ops.example.com/handout/; empty: this machine, by http"`
	QueuesWrite  bool   `split_words:"true" default:"false" desc:"let keys with the scope control pause and resume queues, and run or delete one task, at /queues/"`
	WorkAddr     string `split_words:"true" default:"127.0.0.1:8070" desc:"where handout work serves metrics and health"`
	SimulateAddr string `split_words:"true" default:"127.0.0.1:8060" desc:"where handout simulate plays the vendor"`

	// ConsolePlainHTTP: a session's cookie isn't marked Secure.
	ConsolePlainHTTP bool `split_words:"true" default:"false" desc:"other machines reach the console over plain HTTP, without TLS in front: a browser's session can be read on the way"`

	OIDCIssuer       string      `envconfig:"HANDOUT_OIDC_ISSUER" desc:"OpenID Connect provider through which people log in to the console, as in https://id.example.com; empty: by keys alone"`
	OIDCClientID     string      `envconfig:"HANDOUT_OIDC_CLIENT_ID" desc:"the console's client ID there"`
	OIDCClientSecret secret.Text `envconfig:"HANDOUT_OIDC_CLIENT_SECRET" desc:"its secret"`
	OIDCGroups       string      `envconfig:"HANDOUT_OIDC_GROUPS" desc:"what people of which groups may do, as in ops=read,control;support=read"`
	OIDCGroupsClaim  string      `envconfig:"HANDOUT_OIDC_GROUPS_CLAIM" default:"groups" desc:"the claim that has a person's groups"`

	// ListenMetricsAddr is apart from ListenAddr, which the public calls.
	ListenMetricsAddr string `split_words:"true" default:"127.0.0.1:8081" desc:"where handout listen serves metrics and health"`

	// ConsoleMetricsAddr is apart from ConsoleAddr: metrics name campaigns, and ask for no key.
	ConsoleMetricsAddr string `split_words:"true" default:"127.0.0.1:8091" desc:"where handout console serves metrics and health"`

	SimulateCallbackURL string  `split_words:"true" default:"http://127.0.0.1:8080/callbacks/telesign" desc:"where the simulator sends receipts"`
	SimulateRate        int     `split_words:"true" default:"0" desc:"requests per second that the simulator takes; 0: HANDOUT_RATE"`
	SimulateSpeed       float64 `split_words:"true" default:"10" desc:"how many times faster than real time the simulator's deliveries and fallbacks are"`
	SimulateFiles       string  `split_words:"true" desc:"folder whose files the simulator's server serves at /files/, by signed links; empty: none"`
	SimulateFetch       bool    `split_words:"true" default:"false" desc:"whether the simulator fetches the file of each WhatsApp message, and fails what can't be fetched"`
	SimulatePolling     bool    `split_words:"true" default:"true" desc:"whether the simulator answers questions for outcomes"`

	WebhookAllowPrivate bool `split_words:"true" default:"false" desc:"let webhooks lead to private addresses, and to http URLs"`
	WebhookBacklog      int  `split_words:"true" default:"10000000" desc:"outcomes and changes that may wait for one webhook, about 6 bytes each; beyond it the oldest are dropped, and the webhook is told so"`

	Schedules              string      `default:"schedules.yaml" desc:"the file of what handout schedule runs"`
	ScheduleAddr           string      `split_words:"true" default:"127.0.0.1:8071" desc:"where handout schedule serves metrics and health"`
	ScheduleAllowPrivate   bool        `split_words:"true" default:"false" desc:"schedules may fetch lists from private addresses, and by http"`
	ScheduleMaxList        int         `split_words:"true" default:"1024" desc:"size of a schedule's list in MB, at most"`
	ScheduleS3Endpoint     string      `envconfig:"HANDOUT_SCHEDULE_S3_ENDPOINT" default:"https://s3.amazonaws.com" desc:"where lists named s3://bucket/key are"`
	ScheduleS3Region       string      `envconfig:"HANDOUT_SCHEDULE_S3_REGION" desc:"the bucket's region; empty: it is asked for"`
	ScheduleS3AccessKey    string      `envconfig:"HANDOUT_SCHEDULE_S3_ACCESS_KEY" desc:"access key; empty: AWS's own variables and files, the role of the pod or machine, else none"`
	ScheduleS3SecretKey    secret.Text `envconfig:"HANDOUT_SCHEDULE_S3_SECRET_KEY" desc:"its secret"`
	ScheduleS3SessionToken secret.Text `envconfig:"HANDOUT_SCHEDULE_S3_SESSION_TOKEN" desc:"session token of temporary keys"`

	AuditLength int           `split_words:"true" default:"100000" desc:"entries that the audit trail keeps, about; an entry takes some 500 bytes of Redis's memory"`
	AuditAge    time.Duration `split_words:"true" default:"9600h" desc:"how long the audit trail keeps them, about"`
	AuditFile   string        `split_words:"true" desc:"file that gets a JSON line for each entry, too, or stderr; what can't be written there isn't done; empty: none"`

	AllowUnsafe string `split_words:"true" desc:"names of variables, separated by commas, that handout doctor finds unsafe and that are meant so"`

	LogFormat string     `split_words:"true" default:"text" desc:"text or json, on standard error"`
	LogLevel  slog.Level `split_words:"true" default:"info" desc:"debug, info, warn or error"`

	keyStore redis.UniversalClient // see KeepKeysIn
}

// fields are those that variables set.
func fields() []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(reflect.TypeFor[Config]()), func(f reflect.StructField) bool { return !f.IsExported() })
}

const prefix = "handout"

// Load reads the environment. Its error has every fault.
func Load() (*Config, error) {
	c := new(Config)
	v := reflect.ValueOf(c).Elem()
	faults := make(map[string]error) // by variable
	for _, field := range fields() {
		if err := loadField(field, v.FieldByIndex(field.Index)); err != nil {
			faults[variableName(field)] = err
		}
	}
	c.validate(func(ok bool, name, format string, args ...any) {
		if !ok && faults[name] == nil {
			faults[name] = fmt.Errorf(format, args...)
		}
	})
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		errs = append(errs, fmt.Errorf("%s: %w", name, faults[name]))
	}
	return c, errors.Join(errs...)
}

// OIDC is the OpenID Connect provider.
func (c *Config) OIDC() oidc.Options {
	return oidc.Options{Issuer: c.OIDCIssuer, ClientID: c.OIDCClientID, ClientSecret: c.OIDCClientSecret.Reveal(), Console: c.ConsoleURL, GroupsClaim: c.OIDCGroupsClaim, Route: c.Route()}
}

// isSecret reports whether a variable may be in a file: it is a secret, or a URL with a
// password.
func isSecret(field reflect.StructField) bool {
	return field.Type == reflect.TypeFor[secret.Text]() || field.Name == "RedisURL"
}

// loadField reads one variable. envconfig stops at its first fault, so it gets a struct
// with this field alone.
func loadField(field reflect.StructField, into reflect.Value) error {
	if isSecret(field) {
		if text, found, err := secret.FromFile(variableName(field)); err != nil || found {
			if into.Kind() == reflect.String {
				into.SetString(text)
			} else {
				into.Set(reflect.ValueOf(secret.New(text)))
			}
			return err
		}
	}
	if name := variableName(field); os.Getenv(name) == "" && os.Getenv("HANDOUT_"+name) == "" { // also when it is set to nothing, as by Docker Compose
		field.Tag = reflect.StructTag(fmt.Sprintf("envconfig:%q default:%q", "HANDOUT_IS_NOT_SET", field.Tag.Get("default")))
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	err := envconfig.Process(prefix, one.Interface())
	if err != nil { // its own text shows the value, which may be a secret in the wrong place
		return errors.New(wanted(field.Type))
	}
	into.Set(one.Elem().Field(0))
	return nil
}

func wanted(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "must be a duration as in 90s or 10m"
	case reflect.TypeFor[slog.Level]():
		return "must be debug, info, warn or error"
	}
	return map[reflect.Kind]string{reflect.Bool: "must be true or false", reflect.Int: "must be a whole number", reflect.Float64: "must be a number"}[t.Kind()]
}

// validate calls check for each variable with whether its value is allowed.
func (c *Config) validate(check func(ok bool, name, format string, args ...any)) {
	check(redisx.ValidPrefix(c.Prefix), "HANDOUT_PREFIX", "must be 1 to 32 small letters, digits, - or _, and begin with a letter or digit")
	_, err := sealed.NewRing(c.MasterKey.Reveal(), c.MasterKeyPrevious.Reveal())
	check(err == nil, "HANDOUT_MASTER_KEY", "%w", err)
	check(c.KeysURL.Reveal() == "" || c.MasterKey.Reveal() != "", "HANDOUT_KEYS_URL", "is set, and HANDOUT_MASTER_KEY isn't: there are no keys without it")
	_, err = outbound.NewRoute(c.ProxyURL.Reveal(), c.NoProxy, nil)
	check(err == nil, "HANDOUT_PROXY_URL", "%w", err)
	_, err = outbound.Roots(c.CAFile)
	check(err == nil, "HANDOUT_CA_FILE", "%w", err)
	check(c.RedisReplicas >= 0 && c.RedisReplicas <= 10, "HANDOUT_REDIS_REPLICAS", "must be 0 to 10")
	check(c.Rate > 0 && c.Rate <= operations.MaxRate, "HANDOUT_RATE", "must be over 0 and at most %d, in messages per second", operations.MaxRate)
	check(c.PollRate > 0 && c.PollRate <= 100_000, "HANDOUT_POLL_RATE", "must be over 0 and at most 100000, in requests per second")
	check(c.CheckFilesRate > 0 && c.CheckFilesRate <= 100_000, "HANDOUT_CHECK_FILES_RATE", "must be over 0 and at most 100000, in files per second")
	check(c.Concurrency > 0 && c.Concurrency <= 10_000, "HANDOUT_CONCURRENCY", "must be 1 to 10000")
	check(c.Window > 0 && c.Window <= worker.MaxWindow, "HANDOUT_WINDOW", "must be 1 to %d", worker.MaxWindow)
	check(c.SendTimeout >= 100*time.Millisecond && c.SendTimeout <= 5*time.Minute, "HANDOUT_SEND_TIMEOUT", "must be 100ms to 5m")
	check(c.ReceiptMargin >= 0 && c.ReceiptMargin <= 11*time.Hour, "HANDOUT_RECEIPT_MARGIN", "must be 0s to 11h")
	check(c.ReceiptDeadline >= 0 && c.ReceiptDeadline <= 11*time.Hour, "HANDOUT_RECEIPT_DEADLINE", "must be 0s to 11h")
	check(c.SimulateSpeed > 0 && c.SimulateSpeed <= 1_000_000, "HANDOUT_SIMULATE_SPEED", "must be over 0 and at most 1000000")
	check(c.WebhookBacklog > 0, "HANDOUT_WEBHOOK_BACKLOG", "must be 1 or more")
	check(c.SimulateRate >= 0, "HANDOUT_SIMULATE_RATE", "must not be negative")
	check(c.ScheduleMaxList > 0 && c.ScheduleMaxList <= 1<<20, "HANDOUT_SCHEDULE_MAX_LIST", "must be 1 to %d, in MB", 1<<20)
	check(c.AuditLength >= 1000 && c.AuditLength <= 100_000_000, "HANDOUT_AUDIT_LENGTH", "must be 1000 to 100000000")
	check(c.AuditAge >= time.Hour, "HANDOUT_AUDIT_AGE", "must be 1h or more")
	check(c.LogFormat == "text" || c.LogFormat == "json", "HANDOUT_LOG_FORMAT", "must be text or json")
	check((c.ScheduleS3AccessKey != "") == (c.ScheduleS3SecretKey.Reveal() != ""), "HANDOUT_SCHEDULE_S3_SECRET_KEY", "is set without an access key, or not set with one")
	check(c.ScheduleS3AccessKey != "" || c.ScheduleS3SessionToken.Reveal() == "", "HANDOUT_SCHEDULE_S3_SESSION_TOKEN", "is set without an access key")
	site, err := access.ParseSite(c.ConsoleURL, c.ConsolePlainHTTP)
	check(err == nil, "HANDOUT_CONSOLE_URL", "%w", err)
	check(err != nil || !c.ConsoleOpen || site.Local(), "HANDOUT_CONSOLE_OPEN", "is for this machine alone, and HANDOUT_CONSOLE_URL or HANDOUT_CONSOLE_PLAIN_HTTP is for others")
	for name, err := range c.OIDC().Faults(c.OIDCGroups) {
		check(false, name, "%w", err)
	}
	auth := telesign.AuthMethod(c.TelesignAuth)
	check(auth == telesign.AuthBasic || auth == telesign.AuthDigest, "HANDOUT_TELESIGN_AUTH", "must be basic or digest")
	check(c.Region == "" || phonenumbers.GetSupportedRegions()[c.Region], "HANDOUT_REGION", "must be a country's two letters, as in US")
	for name, addr := range map[string]string{
		"HANDOUT_LISTEN_ADDR": c.ListenAddr, "HANDOUT_LISTEN_METRICS_ADDR": c.ListenMetricsAddr, "HANDOUT_CONSOLE_ADDR": c.ConsoleAddr, "HANDOUT_CONSOLE_METRICS_ADDR": c.ConsoleMetricsAddr,
		"HANDOUT_WORK_ADDR": c.WorkAddr, "HANDOUT_SIMULATE_ADDR": c.SimulateAddr, "HANDOUT_SCHEDULE_ADDR": c.ScheduleAddr,
	} {
		_, port, err := net.SplitHostPort(addr)
		check(err == nil && port != "", name, "must be an address as in 127.0.0.1:8080")
	}
	for name, text := range map[string]string{
		"TELESIGN_URL": c.TelesignURL, "HANDOUT_CALLBACK_URL": c.CallbackURL, "HANDOUT_SIMULATE_CALLBACK_URL": c.SimulateCallbackURL,
		"HANDOUT_SCHEDULE_S3_ENDPOINT": c.ScheduleS3Endpoint,
	} {
		u, err := url.Parse(text)
		ok := text == "" || (err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "")
		check(ok, name, "must be an http or https URL")
	}
}

// Credentials returns what the accounts lack, of the environment and of the file.
func (c *Config) Credentials() error {
	_, err := c.Speaks()
	if c.TelesignCustomerID == "" && c.Accounts != "" {
		return err // the file has them all
	}
	return errors.Join(c.ownCredentials(), err)
}

func (c *Config) ownCredentials() error {
	var faults []error
	if c.TelesignCustomerID == "" {
		faults = append(faults, errors.New("TELESIGN_CUSTOMER_ID is not set"))
	}
	if c.TelesignAPIKey.Reveal() == "" {
		faults = append(faults, errors.New("TELESIGN_API_KEY is not set"))
	} else if _, err := telesign.DecodeKey(c.TelesignAPIKey.Reveal()); err != nil {
		faults = append(faults, errors.New("TELESIGN_API_KEY isn't base64, so it can't be a key of Telesign's: was all of it copied?"))
	}
	if previous := c.TelesignPreviousAPIKey.Reveal(); previous != "" {
		if _, err := telesign.DecodeKey(previous); err != nil {
			faults = append(faults, errors.New("TELESIGN_PREVIOUS_API_KEY isn't base64, so it can't be a key of Telesign's"))
		}
	}
	return errors.Join(faults...)
}

// Speaks returns the accounts that this process speaks for, the default first; none where
// no credentials are set.
func (c *Config) Speaks() (accounts.Accounts, error) {
	own := accounts.Account{
		Name: campaign.DefaultAccount, CustomerID: c.TelesignCustomerID, APIKey: c.TelesignAPIKey, Previous: c.TelesignPreviousAPIKey,
		URL: c.TelesignURL, Auth: telesign.AuthMethod(c.TelesignAuth), Rate: c.Rate, PollRate: c.PollRate, CallbackURL: c.CallbackURL,
	}
	switch {
	case c.Accounts != "":
		all, err := accounts.Read(c.Accounts, own)
		if err != nil {
			return nil, fmt.Errorf("HANDOUT_ACCOUNTS: %w", err)
		}
		return all, nil
	case own.CustomerID == "":
		return nil, nil
	}
	return accounts.Accounts{own}, nil
}

// Variable is one of them with its value, a secret's not shown.
type Variable struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Default     string `json:"default"`
	Description string `json:"description"`
}

// Variables returns all of them.
func (c *Config) Variables() []Variable {
	v := reflect.ValueOf(*c)
	var rows []Variable
	for _, f := range fields() {
		name, value := variableName(f), fmt.Sprint(v.FieldByIndex(f.Index).Interface())
		if name == "REDIS_URL" && value != "" {
			value = redisx.Describe(value)
		} else if u, err := url.Parse(value); err == nil && u.User != nil {
			value = u.Redacted()
		}
		about := f.Tag.Get("desc")
		if isSecret(f) {
			about += "; or " + name + secret.FileSuffix + ", a file with it"
		}
		rows = append(rows, Variable{Name: name, Value: value, Default: f.Tag.Get("default"), Description: about})
	}
	return rows
}

// DefaultOf returns the default of the variable of this name.
func DefaultOf(name string) string {
	for _, v := range new(Config).Variables() {
		if v.Name == name {
			return v.Default
		}
	}
	return ""
}

func variableName(f reflect.StructField) string {
	if name := f.Tag.Get("envconfig"); name != "" {
		return name
	}
	return "HANDOUT_" + strings.ToUpper(wordEnd.ReplaceAllString(f.Name, "${1}_${2}"))
}

// wordEnd is where envconfig splits a field's name: SendTimeout becomes SEND_TIMEOUT.
var wordEnd = regexp.MustCompile("([a-z])([A-Z])")

// Unknown returns the variables with our prefix that handout doesn't know:
// most likely misspelt.
func Unknown() []string {
	known := make(map[string]bool)
	for _, v := range new(Config).Variables() {
		known[strings.TrimPrefix(v.Name, "HANDOUT_")] = true
	}
	for _, f := range fields() {
		if isSecret(f) {
			known[strings.TrimPrefix(variableName(f), "HANDOUT_")+secret.FileSuffix] = true
		}
	}
	var unknown []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if rest, ours := strings.CutPrefix(name, "HANDOUT_"); ours && !known[rest] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// MasterKeys are the installation's; nil for none.
func (c *Config) MasterKeys() *sealed.Ring {
	keys, _ := sealed.NewRing(c.MasterKey.Reveal(), c.MasterKeyPrevious.Reveal()) // validated
	keys.KeepKeysIn(c.keyStore)
	return keys
}

// RedisTLS is how connections to Redis are secured.
func (c *Config) RedisTLS() redisx.TLS {
	return redisx.TLS{CA: c.RedisCA, Cert: c.RedisCert, Key: c.RedisKey}
}

// OpenKeyStore opens the Redis of the campaigns' keys, if there is one, for all rings of
// MasterKeys from here on.
func (c *Config) OpenKeyStore(ctx context.Context, rdb redis.UniversalClient, log *slog.Logger) (err error) {
	c.keyStore, err = installation.OpenKeyStore(ctx, rdb, c.KeysURL.Reveal(), c.RedisTLS(), log)
	return err
}
