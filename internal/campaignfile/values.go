package campaignfile

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/handout-dev/handout/campaign"
)

// The values of a campaign file.

func (p *fileParser) text(n *yaml.Node, path string) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		p.wrong(n, path, "must be a text")
		return ""
	}
	return n.Value
}

// named reads a text that must not be empty: leaving the key out is the default.
func (p *fileParser) named(n *yaml.Node, path string) string {
	s := p.text(n, path)
	if s == "" && !p.broken[path] {
		p.wrong(n, path, "must not be empty")
	}
	return s
}

// digitsOrText reads a text that may be all digits, without quotes.
func (p *fileParser) digitsOrText(n *yaml.Node, path string) string {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!int" {
		return n.Value
	}
	return p.named(n, path)
}

func (p *fileParser) number(n *yaml.Node, path string) float64 {
	if n.Kind == yaml.ScalarNode && (n.Tag == "!!int" || n.Tag == "!!float") {
		var v float64
		if n.Decode(&v) == nil {
			return v
		}
	}
	p.wrong(n, path, "must be a number")
	return 0
}

// seconds reads a Go duration or a bare number of seconds.
func (p *fileParser) seconds(n *yaml.Node, path string) int {
	d, ok := timespan(n)
	switch {
	case !ok:
		p.wrong(n, path, "must be a duration such as 10m, or a number of seconds")
	case d%time.Second != 0:
		p.wrong(n, path, "must be whole seconds")
	case d < minFallback || d > maxFallback:
		p.wrong(n, path, fallbackRange)
	}
	return int(d / time.Second)
}

// Bounds of the times that are counted in hours and days.
const (
	minLong = time.Minute
	maxLong = 10 * 365 * day
	day     = 24 * time.Hour
)

// long reads a duration of a minute to ten years.
func (p *fileParser) long(n *yaml.Node, path string) int {
	d, ok := timespan(n)
	if !ok || d < minLong || d > maxLong || d%time.Second != 0 {
		p.wrong(n, path, "must be a duration such as 24h or 90d, from 1m to 3650d")
		return 0
	}
	return int(d / time.Second)
}

// timespan reads a Go duration, a number of days as in 90d, or a bare number of
// seconds.
func timespan(n *yaml.Node) (time.Duration, bool) {
	if n.Kind != yaml.ScalarNode {
		return 0, false
	}
	switch n.Tag {
	case "!!str":
		if days, ok := strings.CutSuffix(n.Value, "d"); ok {
			v, err := strconv.Atoi(days)
			return time.Duration(v) * day, err == nil && v >= 0 && v <= int(maxLong/day)
		}
		d, err := time.ParseDuration(n.Value)
		return d, err == nil && d >= 0
	case "!!int":
		v, err := strconv.Atoi(n.Value)
		return time.Duration(v) * time.Second, err == nil && v >= 0 && v <= int(maxLong/time.Second)
	}
	return 0, false
}

// share reads a part of a whole: 0.3 or 30%. It must not be 0: leaving the key out
// is the default.
func (p *fileParser) share(n *yaml.Node, path string) float64 {
	v, err := 0.0, error(nil)
	percent, ok := strings.CutSuffix(n.Value, "%")
	if v, err = strconv.ParseFloat(strings.TrimSpace(percent), 64); ok {
		v /= 100
	}
	if n.Kind != yaml.ScalarNode || err != nil || !(v > 0 && v <= 1) { // NaN is neither
		p.wrong(n, path, "must be a share such as 0.3 or 30%, over 0 and at most 1")
		return 0
	}
	return v
}

// count reads a whole number from 1 to limit.
func (p *fileParser) count(n *yaml.Node, path string, limit int) int {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || v < 1 || v > limit {
		p.wrong(n, path, "must be a whole number from 1 to "+campaign.Number(limit))
		return 0
	}
	return v
}

// hours reads when a campaign may be sent.
func (p *fileParser) hours(n *yaml.Node, path string) {
	h := &campaign.Hours{}
	p.spec.Hours = h
	p.mapping(n, path, map[string]func(*yaml.Node, string){
		"from": func(n *yaml.Node, path string) { h.From = p.text(n, path) },
		"to":   func(n *yaml.Node, path string) { h.To = p.text(n, path) },
		"zone": func(n *yaml.Node, path string) { h.Zone = p.text(n, path) },
		"days": func(n *yaml.Node, path string) { h.Days = p.names(n, path) },
	})
}

// names reads a list of at least one text.
func (p *fileParser) names(n *yaml.Node, path string) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.wrong(n, path, "must be a list such as [mon, tue]")
		return nil
	}
	var all []string
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode || item.Tag != "!!str" {
			p.wrong(n, path, "must be a list such as [mon, tue]")
			return nil
		}
		all = append(all, item.Value)
	}
	return all
}

// fileCheck reads whose files are checked: none and nothing are the same.
func fileCheck(name string) campaign.FileCheck {
	if name == "none" {
		return campaign.CheckNone
	}
	return campaign.FileCheck(name)
}
