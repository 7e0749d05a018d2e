package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/producer"
)

// The placeholders of a tick are [[id]], [[period]], [[day]] and [[time]]: in the
// campaign file, in the list's name, and in arguments of a program. Those of the
// recipients' columns, in channel parameters, are {{.column}}.
var places = regexp.MustCompile(`\[\[([a-z_]+)\]\]`)

var known = map[string]bool{"id": true, "period": true, "day": true, "time": true}

func checkPlaces(text string) error {
	for _, found := range places.FindAllStringSubmatch(text, -1) {
		if !known[found[1]] {
			return fmt.Errorf("%s isn't known: there are [[id]], [[period]], [[day]] and [[time]]", found[0])
		}
	}
	return nil
}

// ID returns the ID of a tick's campaign: nightly-20261123t0200z.
func (s *Schedule) ID(p Period) campaign.ID { return campaign.ID(s.Name + "-" + p.id()) }

// Key returns a tick's name: nightly:2026-11-23T02:00Z.
func (s *Schedule) Key(p Period) string { return s.Name + ":" + string(p) }

// fill replaces the placeholders in a text. Their values have no character that is
// special in YAML, a URL or a path.
func (s *Schedule) fill(text string, p Period) string {
	at := p.Time().In(s.Clock.Zone())
	return strings.NewReplacer(
		"[[id]]", string(s.ID(p)), "[[period]]", string(p),
		"[[day]]", at.Format("2006-01-02"), "[[time]]", at.Format("2006-01-02T15:04"),
	).Replace(text)
}

func (s *Schedule) fillAll(texts []string, p Period) []string {
	filled := make([]string, len(texts))
	for i, text := range texts {
		filled[i] = s.fill(text, p)
	}
	return filled
}

// campaign returns the campaign file of a tick. Errors: *producer.Faults, and faults
// of its placeholders.
func (s *Schedule) campaign(p Period) (*producer.File, error) {
	if err := checkPlaces(string(s.template)); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Campaign, err)
	}
	file, err := producer.ParseCampaign(s.Campaign, []byte(s.fill(string(s.template), p)))
	if err != nil {
		return nil, err
	}
	if file.Spec.ID != s.ID(p) {
		return nil, fmt.Errorf(`%s: id: must be "[[id]]", which differs for each tick`, s.Campaign)
	}
	if name := file.Spec.AccountName(); s.Accounts != nil && !slices.Contains(s.Accounts, name) {
		return nil, errors.New(file.Fault("account", "there is no account "+name+" here: is it in the file that HANDOUT_ACCOUNTS names?").String())
	}
	return file, nil
}
