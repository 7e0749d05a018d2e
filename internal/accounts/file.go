package accounts

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/telesign"
)

const (
	// maxFile is the longest file of accounts, in bytes.
	maxFile = 1 << 20
	// MaxRate is the highest rate that an account may have, per second.
	MaxRate = 100_000
)

// Read reads a file of accounts. What an account there leaves out, beside its customer
// ID, keys and sender, is as the variables have it. If these name an account, it is the
// default; else the file must. The error has every fault, with line and column, and never
// a key.
func Read(path string, variables Account) (Accounts, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	p := &parser{name: path, variables: variables}
	p.file(text)
	if variables.CustomerID != "" {
		own := variables
		own.Name = campaign.DefaultAccount
		if _, twice := p.accounts.Find(own.Name); twice {
			p.fault(p.defaultAt, "default: TELESIGN_CUSTOMER_ID is set, and is this account, too: remove one of the two")
		}
		p.accounts = append(p.accounts, own)
	} else if _, there := p.accounts.Find(campaign.DefaultAccount); !there && len(p.faults) == 0 {
		p.fault(place{1, 1}, "there is no account default, of campaigns that name none: add it, or set TELESIGN_CUSTOMER_ID and TELESIGN_API_KEY")
	}
	if len(p.faults) > 0 {
		return nil, p.err()
	}
	p.accounts.sort()
	return p.accounts, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxFile)
	}
	return text, err
}

type place struct{ line, column int }

type fault struct {
	place
	text string
}

// parser reads one file.
type parser struct {
	name      string
	variables Account
	accounts  Accounts
	defaultAt place
	faults    []fault
}

func (p *parser) fault(at place, text string) { p.faults = append(p.faults, fault{at, text}) }

func (p *parser) wrong(n *yaml.Node, path, text string) {
	p.fault(place{n.Line, n.Column}, path+": "+text)
}

func (p *parser) err() error {
	slices.SortStableFunc(p.faults, func(a, b fault) int { return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column)) })
	errs := make([]error, len(p.faults))
	for i, f := range p.faults {
		errs[i] = fmt.Errorf("%s:%d:%d: %s", p.name, f.line, f.column, f.text)
	}
	return errors.Join(errs...)
}

func (p *parser) file(text []byte) {
	var document yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&document); errors.Is(err, io.EOF) {
		p.fault(place{1, 1}, "the file is empty")
		return
	} else if err != nil {
		// The parser's own words may quote the file, in which a key may stand by mistake.
		p.fault(lineOf(err), "isn't YAML")
		return
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		p.fault(place{1, 1}, "the file has more than one document")
		return
	}
	p.mapping(document.Content[0], "", func(n *yaml.Node, key *yaml.Node, _ string) {
		if key.Value != "accounts" {
			p.fault(at(key), "unknown key "+strconv.Quote(key.Value)+": the file has one, accounts")
			return
		}
		p.mapping(n, "accounts", func(n *yaml.Node, key *yaml.Node, _ string) { p.account(n, key) })
	})
}

// lineOf returns the line in an error of the YAML package, "yaml: line 3: …".
func lineOf(err error) place {
	rest, _ := strings.CutPrefix(err.Error(), "yaml: line ")
	number, _, _ := strings.Cut(rest, ":")
	line, wrong := strconv.Atoi(number)
	if wrong != nil {
		line = 1
	}
	return place{line, 1}
}

func at(n *yaml.Node) place { return place{n.Line, n.Column} }

// mapping calls read for each key of a mapping, with its value.
func (p *parser) mapping(n *yaml.Node, path string, read func(n, key *yaml.Node, path string)) {
	if n.Kind != yaml.MappingNode {
		p.fault(at(n), strings.TrimPrefix(path+": must be a mapping of keys to values", ": "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			p.fault(at(key), "a key must be a plain text")
		case seen[key.Value]:
			p.fault(at(key), "the key "+strconv.Quote(key.Value)+" stands here twice")
		case value.Kind == yaml.AliasNode:
			p.fault(at(value), "aliases are not supported")
		default:
			read(value, key, strings.TrimPrefix(path+"."+key.Value, "."))
		}
		seen[key.Value] = true
	}
}

func (p *parser) account(n, key *yaml.Node) {
	name, base := key.Value, p.variables
	if !campaign.ValidAccount(name) {
		p.fault(at(key), strconv.Quote(name)+" "+campaign.AccountForm)
	}
	if name == campaign.DefaultAccount {
		p.defaultAt = at(key)
	}
	a := Account{Name: name, URL: base.URL, Auth: base.Auth, Rate: base.Rate, PollRate: base.PollRate, CallbackURL: base.CallbackURL}
	known := map[string]func(n *yaml.Node, path string){
		"customer_id": func(n *yaml.Node, path string) {
			a.CustomerID = p.text(n, path)
			if _, err := telesign.NewVerifier(a.CustomerID, "AAAA"); err != nil && a.CustomerID != "" {
				p.wrong(n, path, strings.TrimPrefix(err.Error(), "telesign: "))
			}
		},
		"api_key":          func(n *yaml.Node, path string) { a.APIKey = p.key(n, path, &a) },
		"previous_api_key": func(n *yaml.Node, path string) { a.Previous = p.key(n, path, &a) },
		"url":              func(n *yaml.Node, path string) { a.URL = p.url(n, path) },
		"callback_url":     func(n *yaml.Node, path string) { a.CallbackURL = p.url(n, path) },
		"auth": func(n *yaml.Node, path string) {
			if a.Auth = telesign.AuthMethod(n.Value); a.Auth != telesign.AuthBasic && a.Auth != telesign.AuthDigest {
				p.wrong(n, path, "must be basic or digest")
			}
		},
		"rate":      func(n *yaml.Node, path string) { a.Rate = p.rate(n, path) },
		"poll_rate": func(n *yaml.Node, path string) { a.PollRate = p.rate(n, path) },
		"sender_id": func(n *yaml.Node, path string) { a.SenderID = p.text(n, path) },
	}
	given := map[string]bool{}
	p.mapping(n, name, func(n, key *yaml.Node, path string) {
		read, ok := known[key.Value]
		if !ok {
			p.fault(at(key), name+": unknown key "+strconv.Quote(key.Value))
			return
		}
		given[key.Value] = true
		read(n, path)
	})
	for _, needed := range []string{"customer_id", "api_key"} {
		if n.Kind == yaml.MappingNode && !given[needed] {
			p.fault(at(key), name+"."+needed+": missing")
		}
	}
	p.accounts = append(p.accounts, a)
}

func (p *parser) text(n *yaml.Node, path string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" || strings.TrimSpace(n.Value) != n.Value {
		p.wrong(n, path, "must be a text without space around it")
		return ""
	}
	return n.Value
}

func (p *parser) url(n *yaml.Node, path string) string {
	u, err := url.Parse(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		p.wrong(n, path, "must be an http or https URL")
		return ""
	}
	return n.Value
}

func (p *parser) rate(n *yaml.Node, path string) float64 {
	rate, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || err != nil || !(rate > 0 && rate <= MaxRate) {
		p.wrong(n, path, fmt.Sprintf("must be over 0 and at most %d, per second", MaxRate))
		return 0
	}
	return rate
}

// key reads an API key from where the file says that it is. No fault quotes the value:
// it may be the key itself.
func (p *parser) key(n *yaml.Node, path string, of *Account) secret.Text {
	kind, where, _ := strings.Cut(n.Value, ":")
	var value string
	var err error
	switch {
	case n.Kind == yaml.ScalarNode && kind == "env" && where != "":
		of.variables = append(of.variables, where)
		if value = os.Getenv(where); value == "" {
			err = fmt.Errorf("the variable %s isn't set", where)
		}
	case n.Kind == yaml.ScalarNode && kind == "file" && filepath.IsAbs(where):
		value, err = secret.Read(where)
	default:
		err = errors.New("must be env:NAME or file:/path: the key itself has no place in this file")
	}
	if err == nil {
		if _, wrong := telesign.DecodeKey(value); wrong != nil {
			err = errors.New("what " + kind + ":" + where + " holds isn't base64, so it can't be a key of Telesign's: was all of it copied?")
		}
	}
	if err != nil {
		p.wrong(n, path, err.Error())
		return secret.Text{}
	}
	return secret.New(value)
}
