// Package campaignfile reads campaign files into specs, and says what is wrong where.
package campaignfile

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/unicode/norm"

	"github.com/handout-dev/handout/campaign"
)

// MaxBytes is the longest campaign file, in bytes: far more than any cascade
// needs, since no request may be longer than 10 KB.
const MaxBytes = 1 << 20

// File is a campaign file that has been read and found right.
type File struct {
	Name string
	Spec *campaign.Spec
	at   places
}

// places are where in the file each value stands, by its path such as
// channels[0].parameters.url.
type places map[string]place

type place struct{ line, column int }

// find returns the place of a path, or of the nearest path around it.
func (p places) find(path string) place {
	for path != "" {
		if at, ok := p[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return p[""]
}

// Fault is a fault of the value at a path, such as channels[0].template.
func (f *File) Fault(path, message string) Fault {
	at := f.at.find(path)
	return Fault{File: f.Name, Line: at.line, Column: at.column, Message: path + ": " + message}
}

// Parse reads a campaign file: YAML with the keys id, message_type,
// channels, default, rate, lane, on_doubt, give_up_after, max_failure_rate, canary,
// canary_success, retention, check_files, hours, unknown_zone, columns,
// unknown_ranges, same_recipient, whatsapp_whitespace, account, sender_id, originating_ip and
// account_lifecycle_event. Other keys are faults. The error is [*Faults]: every fault,
// with its line and column, and name as the file's.
func Parse(name string, src []byte) (*File, error) {
	p := &fileParser{file: name, at: places{"": {1, 1}}, spec: &campaign.Spec{}}
	if len(src) > MaxBytes {
		p.fault(place{}, "the campaign file is longer than "+campaign.Number(MaxBytes)+" bytes")
		return nil, p.faults.Err()
	}
	root, err := p.document(src)
	if err != nil {
		p.fault(yamlPlace(err))
		return nil, p.faults.Err()
	}
	p.campaign(root)
	f := &File{Name: name, Spec: p.spec, at: p.at}
	f.finish(&p.faults, p.broken)
	p.faults.Sort()
	if err := p.faults.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// New makes a campaign file in Go. The spec is checked as a file is, and
// copied; the error is [*Faults].
func New(spec campaign.Spec) (*File, error) {
	f := &File{Spec: &spec, at: places{}}
	var faults Faults
	f.finish(&faults, nil)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// fileParser turns YAML into a spec. It checks only the form; File.finish checks
// what the values mean, for specs from Go as well.
type fileParser struct {
	file   string
	spec   *campaign.Spec
	at     places
	broken map[string]bool // paths with a fault already
	faults Faults
}

func (p *fileParser) fault(at place, message string) {
	p.faults.Add(Fault{File: p.file, Line: at.line, Column: at.column, Message: message})
}

func (p *fileParser) wrong(n *yaml.Node, path, message string) {
	if p.broken == nil {
		p.broken = map[string]bool{}
	}
	p.broken[path] = true
	p.fault(place{n.Line, n.Column}, path+": "+message)
}

func (p *fileParser) document(src []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(src))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the campaign file is empty")
		}
		return nil, err
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, err
		}
		return nil, errors.New("yaml: line " + strconv.Itoa(more.Line) + ": a campaign file holds one campaign")
	}
	return doc.Content[0], nil
}

// yamlPlace splits the line off an error of the YAML package, which writes
// "yaml: line 3: …" and has no type for it.
func yamlPlace(err error) (place, string) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if number, text, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return place{line: line}, text
			}
		}
	}
	return place{}, message
}

func (p *fileParser) campaign(n *yaml.Node) {
	s := p.spec
	p.mapping(n, "", map[string]func(*yaml.Node, string){
		"id":                      func(n *yaml.Node, path string) { s.ID = campaign.ID(p.text(n, path)) },
		"message_type":            func(n *yaml.Node, path string) { s.MessageType = p.text(n, path) },
		"channels":                p.channels,
		"default":                 p.defaultContent,
		"rate":                    func(n *yaml.Node, path string) { s.Rate = p.number(n, path) },
		"lane":                    func(n *yaml.Node, path string) { s.Lane = campaign.Lane(p.named(n, path)) },
		"on_doubt":                func(n *yaml.Node, path string) { s.OnDoubt = campaign.OnDoubt(p.named(n, path)) },
		"give_up_after":           func(n *yaml.Node, path string) { s.GiveUpAfter = p.long(n, path) },
		"retention":               func(n *yaml.Node, path string) { s.Retention = p.long(n, path) },
		"max_failure_rate":        func(n *yaml.Node, path string) { s.MaxFailureRate = p.share(n, path) },
		"canary":                  func(n *yaml.Node, path string) { s.Canary = p.count(n, path, campaign.MostCanary) },
		"canary_success":          func(n *yaml.Node, path string) { s.CanarySuccess = p.share(n, path) },
		"check_files":             func(n *yaml.Node, path string) { s.CheckFiles = fileCheck(p.named(n, path)) },
		"hours":                   p.hours,
		"unknown_zone":            func(n *yaml.Node, path string) { s.UnknownZone = p.named(n, path) },
		"columns":                 p.columns,
		"whatsapp_whitespace":     func(n *yaml.Node, path string) { s.WhatsAppWhitespace = campaign.Whitespace(p.named(n, path)) },
		"account":                 func(n *yaml.Node, path string) { s.Account = p.named(n, path) },
		"sender_id":               func(n *yaml.Node, path string) { s.SenderID = p.digitsOrText(n, path) },
		"originating_ip":          func(n *yaml.Node, path string) { s.OriginatingIP = p.named(n, path) },
		"account_lifecycle_event": func(n *yaml.Node, path string) { s.LifecycleEvent = p.named(n, path) },
		"unknown_ranges":          func(n *yaml.Node, path string) { s.UnknownRanges = campaign.UnknownRanges(p.named(n, path)) },
		"same_recipient":          func(n *yaml.Node, path string) { s.SameRecipient = campaign.SameRecipient(p.named(n, path)) },
	})
}

func (p *fileParser) channels(n *yaml.Node, path string) {
	if n.Kind != yaml.SequenceNode {
		p.wrong(n, path, "must be a list of channels")
		return
	}
	p.spec.Channels = make([]campaign.Channel, len(n.Content))
	for i, item := range n.Content {
		ch := &p.spec.Channels[i]
		p.mapping(item, path+"["+strconv.Itoa(i)+"]", map[string]func(*yaml.Node, string){
			"channel":       func(n *yaml.Node, path string) { ch.Channel = p.text(n, path) },
			"fallback_time": func(n *yaml.Node, path string) { ch.FallbackTime = p.seconds(n, path) },
			"template":      func(n *yaml.Node, path string) { ch.Template = p.text(n, path) },
			"parameters":    func(n *yaml.Node, path string) { ch.Parameters = p.parameters(n, path) },
		})
	}
}

func (p *fileParser) defaultContent(n *yaml.Node, path string) {
	c := &campaign.Content{}
	p.spec.Default = c
	p.mapping(n, path, map[string]func(*yaml.Node, string){
		"template":   func(n *yaml.Node, path string) { c.Template = p.text(n, path) },
		"parameters": func(n *yaml.Node, path string) { c.Parameters = p.parameters(n, path) },
	})
}

func (p *fileParser) parameters(n *yaml.Node, path string) map[string]string {
	values := map[string]string{}
	p.mapping(n, path, nil, func(n *yaml.Node, path, name string) {
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			p.wrong(n, path, "must be a text")
			return
		}
		values[name] = norm.NFC.String(n.Value) // numbers as they are written
	})
	return values
}

// columns reads the list's own names of columns.
func (p *fileParser) columns(n *yaml.Node, path string) {
	p.spec.Columns = map[string]string{}
	p.mapping(n, path, nil, func(n *yaml.Node, path, name string) {
		p.spec.Columns[norm.NFC.String(name)] = norm.NFC.String(p.named(n, path))
	})
}

// mapping reads a mapping's known keys, or every key with other.
func (p *fileParser) mapping(n *yaml.Node, path string, known map[string]func(*yaml.Node, string), other ...func(n *yaml.Node, path, key string)) {
	p.at[path] = place{n.Line, n.Column}
	if n.Kind != yaml.MappingNode {
		if path == "" {
			p.fault(p.at[path], "a campaign file must be a mapping of keys to values")
			p.broken = map[string]bool{"": true}
			return
		}
		p.wrong(n, path, "must be a mapping of keys to values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := place{key.Line, key.Column}
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			p.fault(at, "a key must be a plain text")
			continue
		}
		keyPath := strings.TrimPrefix(path+"."+key.Value, ".")
		if seen[key.Value] {
			p.fault(at, "the key "+strconv.Quote(key.Value)+" stands here twice")
			continue
		}
		seen[key.Value] = true
		if value.Kind == yaml.AliasNode {
			p.wrong(value, keyPath, "aliases are not supported")
			continue
		}
		read, ok := known[key.Value]
		switch {
		case ok:
			p.at[keyPath] = place{value.Line, value.Column}
			read(value, keyPath)
		case len(other) > 0:
			p.at[keyPath] = place{value.Line, value.Column}
			other[0](value, keyPath, key.Value)
		default:
			p.fault(at, "unknown key "+strconv.Quote(key.Value))
		}
	}
}
