package producer

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/handout-dev/handout/campaign"
)

// unknownHold is what unknown_zone is by default.
const unknownHold = "hold"

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

// names reads a list of texts, of which there must be one.
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

// hours sets the defaults of a spec's hours and judges them. Channels come
// before: how long their fallback takes is a part of it.
func (c *specChecker) hours(s *campaign.Spec) {
	if s.UnknownZone == unknownHold {
		s.UnknownZone = "" // written and not written are the same content
	}
	if h := s.Hours; h != nil {
		own := *h
		own.Days = slices.Clone(h.Days)
		s.Hours = &own
	}
	if c.broken["hours"] {
		return
	}
	wrong := s.CheckHours()
	for _, path := range slices.Sorted(maps.Keys(wrong)) {
		c.fault(path, wrong[path])
	}
}

// fileCheck is a check of files as it is written: none and nothing are the same.
func fileCheck(name string) campaign.FileCheck {
	if name == "none" {
		return campaign.CheckNone
	}
	return campaign.FileCheck(name)
}
