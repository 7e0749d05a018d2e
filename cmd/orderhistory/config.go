package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/nyaruka/phonenumbers"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/producer"
)

// Config is every environment variable that orderhistory reads, each as
// ORDERHISTORY_<NAME> but those that are handout's, too.
type Config struct {
	RedisURL          string      `envconfig:"REDIS_URL" desc:"where Redis is, as for handout"`
	RedisCA           string      `envconfig:"HANDOUT_REDIS_CA" desc:"file of the authorities of Redis's certificate, as for handout"`
	RedisCert         string      `envconfig:"HANDOUT_REDIS_CERT" desc:"file of the certificate that is shown to Redis, as for handout"`
	RedisKey          string      `envconfig:"HANDOUT_REDIS_KEY" desc:"file of its key, as for handout"`
	RedisPrefix       string      `envconfig:"HANDOUT_PREFIX" default:"handout" desc:"what begins every key in Redis, as for handout"`
	MasterKey         secret.Text `envconfig:"HANDOUT_MASTER_KEY" desc:"encrypts who is in campaigns, as for handout"`
	MasterKeyPrevious secret.Text `envconfig:"HANDOUT_MASTER_KEY_PREVIOUS" desc:"the one before, as for handout"`
	KeysURL           secret.Text `envconfig:"HANDOUT_KEYS_URL" desc:"the Redis of the campaigns' keys, as for handout"`

	ProxyURL secret.Text `envconfig:"HANDOUT_PROXY_URL" desc:"proxy to the bucket and the links, as for handout"`
	NoProxy  string      `envconfig:"HANDOUT_NO_PROXY" desc:"hosts that are called without it, as for handout"`
	CAFile   string      `envconfig:"HANDOUT_CA_FILE" desc:"file of more authorities, as for handout"`

	Shop         string `default:"sqlite:shop.db" desc:"the shop's database: postgres://… or sqlite:PATH"`
	State        string `default:"sqlite:orderhistory-state.db" desc:"the database of what was exported: postgres://… or sqlite:PATH"`
	CustomersSQL string `envconfig:"CUSTOMERS_SQL" desc:"file with the query for customers; empty: that for a generated shop"`
	OrdersSQL    string `envconfig:"ORDERS_SQL" desc:"file with the query for orders; empty: that for a generated shop"`
	Campaign     string `desc:"campaign file; its id begins those of the campaigns; empty: WhatsApp, then SMS"`

	Folder    string `default:"files" desc:"folder for the files, unless a bucket is named"`
	FolderURL string `split_words:"true" default:"http://127.0.0.1:8060" desc:"server of that folder, such as handout simulate with HANDOUT_SIMULATE_FILES"`

	S3Bucket         string      `envconfig:"S3_BUCKET" desc:"bucket for the files, of any S3-compatible store"`
	S3Endpoint       string      `envconfig:"S3_ENDPOINT" default:"https://s3.amazonaws.com" desc:"the store's URL"`
	S3PublicEndpoint string      `envconfig:"S3_PUBLIC_ENDPOINT" desc:"the store's URL in links, if it's another"`
	S3Region         string      `envconfig:"S3_REGION" default:"us-east-1" desc:"the bucket's region"`
	S3AccessKey      string      `envconfig:"S3_ACCESS_KEY" desc:"access key; empty: AWS's own variables and files, and the role of the pod or machine"`
	S3SecretKey      secret.Text `envconfig:"S3_SECRET_KEY" desc:"secret key"`
	S3SessionToken   secret.Text `envconfig:"S3_SESSION_TOKEN" desc:"session token of temporary keys"`
	LinkBase         string      `split_words:"true" desc:"short links, for a bucket that is open to all: this URL and the file's name, unsigned; empty: presigned links"`
	Prefix           string      `default:"order-history" desc:"beginning of the files' names in the folder or bucket"`

	LinkLife    time.Duration `split_words:"true" default:"72h" desc:"how long a link holds: 1h to 168h, which is the limit of S3"`
	Zone        string        `default:"UTC" desc:"time zone of the periods and of the dates in the files"`
	Currency    string        `default:"USD" desc:"of amounts where the query for orders names none: three letters"`
	Words       wordList      `desc:"words of the files that differ, as in total:Summe,order:Bestellung; sheet, order, date, item, quantity, unit_price, amount, currency, total, customer"`
	PhoneRegion string        `split_words:"true" desc:"country of phone numbers in national form, as in US"`

	Workers  int     `default:"4" desc:"chunks of 100 customers under way at once"`
	Uploads  int     `default:"8" desc:"uploads of one chunk at once"`
	MaxDrift float64 `split_words:"true" default:"0.5" desc:"how far files and bytes may differ from the last time: 0.5 is 50 %"`
	MaxBad   float64 `split_words:"true" default:"0.05" desc:"what share of the customers may be set aside"`
	KeepDays int     `split_words:"true" default:"400" desc:"how many days the state keeps which customer had which file; 0: for ever"`
	TryLinks int     `split_words:"true" default:"3" desc:"how many links are fetched before the campaign opens"`
}

// maxKeep is how many days fit into a duration, roundly.
const maxKeep = 100_000

// loadConfig reads the environment. A variable that is set to nothing, as by
// Docker Compose, has its default.
func loadConfig() (*Config, error) {
	c := new(Config)
	v := reflect.ValueOf(c).Elem()
	var faults []error
	for i := range v.NumField() {
		if err := loadField(v.Type().Field(i), v.Field(i)); err != nil {
			faults = append(faults, err)
		}
	}
	check := func(ok bool, name, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(name+": "+format, args...))
		}
	}
	if faults == nil {
		c.validate(check)
	}
	if len(faults) > 0 {
		return nil, usageError{errors.Join(faults...)}
	}
	return c, nil
}

func loadField(f reflect.StructField, into reflect.Value) error {
	name := variableName(f)
	text := os.Getenv(name)
	// A secret, or a URL that may have a password.
	if f.Type == reflect.TypeFor[secret.Text]() || f.Name == "RedisURL" || f.Name == "Shop" || f.Name == "State" {
		kept, found, err := secret.FromFile(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if found {
			text = kept
		}
	}
	if text == "" {
		text = f.Tag.Get("default")
	}
	// envconfig's own errors show the value, which may be a secret in the wrong
	// place.
	one := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Value", Type: f.Type, Tag: reflect.StructTag(fmt.Sprintf(`envconfig:"ORDERHISTORY_NO_SUCH" default:%q`, text)),
	}}))
	if text == "" {
		return nil
	}
	if err := envconfig.Process("", one.Interface()); err != nil {
		return fmt.Errorf("%s: isn't a %s", name, f.Type)
	}
	into.Set(one.Elem().Field(0))
	return nil
}

func (c *Config) validate(check func(ok bool, name, format string, args ...any)) {
	for name, text := range map[string]string{"ORDERHISTORY_SHOP": c.Shop, "ORDERHISTORY_STATE": c.State} {
		err := database.Check(text)
		check(err == nil, name, "%v", err)
	}
	for name, text := range map[string]string{
		"ORDERHISTORY_FOLDER_URL": c.FolderURL, "ORDERHISTORY_S3_ENDPOINT": c.S3Endpoint, "ORDERHISTORY_S3_PUBLIC_ENDPOINT": c.S3PublicEndpoint,
		"ORDERHISTORY_LINK_BASE": c.LinkBase,
	} {
		u, err := url.Parse(text)
		check(text == "" || err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"), name, "must be an http or https URL")
	}
	check(c.LinkBase == "" || c.S3Bucket != "", "ORDERHISTORY_LINK_BASE", "needs a bucket: the links of a folder are signed")
	check(!strings.ContainsAny(c.LinkBase, "?#"), "ORDERHISTORY_LINK_BASE", "must be a URL without a query")
	check((c.S3AccessKey != "") == (c.S3SecretKey.Reveal() != ""), "ORDERHISTORY_S3_SECRET_KEY", "is set without an access key, or not set with one")
	check(c.S3AccessKey != "" || c.S3SessionToken.Reveal() == "", "ORDERHISTORY_S3_SESSION_TOKEN", "is set without an access key")
	check(c.LinkLife >= time.Hour && c.LinkLife <= store.MaxLinkLife, "ORDERHISTORY_LINK_LIFE", "must be 1h to 168h")
	_, err := c.route()
	check(err == nil, "HANDOUT_PROXY_URL or HANDOUT_CA_FILE", "%w", err)
	_, err = time.LoadLocation(c.Zone)
	check(err == nil, "ORDERHISTORY_ZONE", "must be a time zone as in Europe/Berlin")
	check(shop.IsCurrency(c.Currency), "ORDERHISTORY_CURRENCY", "must be a currency's three letters, as in EUR")
	_, err = c.words()
	check(err == nil, "ORDERHISTORY_WORDS", "%v", err)
	check(c.PhoneRegion == "" || phonenumbers.GetSupportedRegions()[c.PhoneRegion], "ORDERHISTORY_PHONE_REGION", "must be a country's two letters, as in US")
	check(c.Workers > 0 && c.Workers <= 64, "ORDERHISTORY_WORKERS", "must be 1 to 64")
	check(c.Uploads > 0 && c.Uploads <= 64, "ORDERHISTORY_UPLOADS", "must be 1 to 64")
	check(c.MaxDrift >= 0, "ORDERHISTORY_MAX_DRIFT", "must not be negative")
	check(c.MaxBad >= 0 && c.MaxBad <= 1, "ORDERHISTORY_MAX_BAD", "must be 0 to 1")
	check(c.KeepDays >= 0 && c.KeepDays <= maxKeep, "ORDERHISTORY_KEEP_DAYS", "must be 0 to %d", maxKeep)
	check(c.TryLinks >= 0, "ORDERHISTORY_TRY_LINKS", "must not be negative")
}

// route is how requests to the bucket, and of links, leave this machine.
func (c *Config) route() (*outbound.Route, error) {
	roots, err := outbound.Roots(c.CAFile)
	if err != nil {
		return nil, err
	}
	return outbound.NewRoute(c.ProxyURL.Reveal(), c.NoProxy, roots)
}

// wordList is some words by their names.
type wordList map[string]string

// Decode reads name:word,name:word.
func (l *wordList) Decode(text string) error {
	*l = wordList{}
	for pair := range strings.SplitSeq(text, ",") {
		name, word, ok := strings.Cut(pair, ":")
		if !ok {
			return errors.New("no colon")
		}
		(*l)[strings.TrimSpace(name)] = strings.TrimSpace(word)
	}
	return nil
}

// String returns the words as Decode reads them.
func (l wordList) String() string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(l)) {
		pairs = append(pairs, name+":"+l[name])
	}
	return strings.Join(pairs, ",")
}

// words returns the words of the files.
func (c *Config) words() (sheet.Words, error) {
	words := sheet.English()
	err := words.Set(c.Words)
	return words, err
}

// queries reads the files with the queries.
func (c *Config) queries() (shop.Queries, error) {
	var q shop.Queries
	for path, into := range map[string]*string{c.CustomersSQL: &q.Customers, c.OrdersSQL: &q.Orders} {
		if path == "" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return q, usageError{fmt.Errorf("query: %w", err)}
		}
		*into = string(text)
	}
	if err := q.Check(); err != nil {
		return q, usageError{err}
	}
	return q, nil
}

const defaultCampaign = `
id: order-history
message_type: MKT
check_files: sample
channels:
  - channel: whatsapp
    fallback_time: 10m
    template: file
    parameters: {url: "{{.url}}", file_name: "order history.xlsx"}
  - channel: sms
    template: text
    parameters: {text: "Your viatu.com order history is ready for download at {{.url}}."}
`

// campaign reads the campaign file.
func (c *Config) campaign() (campaign.Spec, error) {
	name, text := "the campaign", []byte(defaultCampaign)
	if c.Campaign != "" {
		var err error
		if text, err = os.ReadFile(c.Campaign); err != nil {
			return campaign.Spec{}, usageError{fmt.Errorf("ORDERHISTORY_CAMPAIGN: %w", err)}
		}
		name = c.Campaign
	}
	file, err := producer.ParseCampaign(name, text)
	if err != nil {
		return campaign.Spec{}, usageError{err}
	}
	return *file.Spec, nil
}

func variableName(f reflect.StructField) string {
	name := f.Tag.Get("envconfig")
	switch {
	case name == "REDIS_URL", strings.HasPrefix(name, "HANDOUT_"):
		return name
	case name == "":
		name = strings.ToUpper(words.ReplaceAllString(f.Name, "${1}_${2}"))
	}
	return "ORDERHISTORY_" + name
}

var words = regexp.MustCompile("([a-z])([A-Z])")

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "List every environment variable with its value", Args: cobra.NoArgs,
		Example: "  orderhistory config  # each variable, its value and meaning",
		RunE: func(*cobra.Command, []string) error {
			c, err := loadConfig()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "VARIABLE\tVALUE\tMEANING")
			v := reflect.ValueOf(*c)
			for i := range v.NumField() {
				f, value := v.Type().Field(i), fmt.Sprint(v.Field(i).Interface())
				switch {
				case f.Name == "RedisURL" && value != "":
					value = redisx.Describe(value)
				case f.Name == "Shop" || f.Name == "State":
					value = database.Describe(value)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", variableName(f), value, f.Tag.Get("desc"))
			}
			return w.Flush()
		},
	}
}
