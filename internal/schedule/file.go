package schedule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/producer"
)

// Schedule is one schedule of a file.
type Schedule struct {
	Name     string  `yaml:"name"`
	Cron     string  `yaml:"cron"`     // as it is written
	Zone     string  `yaml:"zone"`     // as it is written
	CatchUp  span    `yaml:"catch_up"` // how late a tick may be done
	Overlap  overlap `yaml:"overlap"`
	Timeout  span    `yaml:"timeout"`            // of reading a list, or of an export
	Hold     bool    `yaml:"hold"`               // each campaign waits for a person's resume
	Region   string  `yaml:"region"`             // as in producer.SubmitOptions
	SetAside bool    `yaml:"set_aside_bad_rows"` // as there
	MaxDrift float64 `yaml:"max_drift"`          // as a part of the last list's size

	// One of these three is set.
	List    string   `yaml:"list"`    // a file, s3://bucket/key or an https URL
	Command []string `yaml:"command"` // prints the list
	Export  []string `yaml:"export"`  // opens the campaign itself
	// Env names the variables that a program gets beside those of every program; a * at
	// the end stands for all that begin so.
	Env []string `yaml:"env"`

	// Suppress, if set, is why the list's numbers go on the suppression list; no
	// campaign opens.
	Suppress string `yaml:"suppress"`
	Column   string `yaml:"column"` // of the numbers, for that; empty: phone

	Format   producer.Format `yaml:"format"`   // of the list; empty: by its name
	Campaign string          `yaml:"campaign"` // the campaign file

	Clock *Clock `yaml:"-"`
	// Accounts are the Telesign accounts that a campaign may name; nil: any.
	Accounts []string `yaml:"-"`
	template []byte   // the campaign file's content
	keys     []string
	line     int
}

// span is a duration, as in 90m.
type span time.Duration

// UnmarshalYAML reads it.
func (s *span) UnmarshalYAML(n *yaml.Node) error {
	d, err := time.ParseDuration(n.Value)
	if err != nil || d < 0 {
		return fmt.Errorf("line %d: must be a duration, as in 90m", n.Line)
	}
	*s = span(d)
	return nil
}

// ofExport are the keys that a schedule may have with an export, and ofList those that
// it may have without one.
var (
	ofExport = []string{"name", "cron", "zone", "export", "env", "catch_up", "overlap", "timeout", "list", "command"}
	ofList   = append([]string{"campaign", "suppress", "column", "format", "hold", "region", "set_aside_bad_rows", "max_drift"}, ofExport...)
)

// UnmarshalYAML reads a schedule strictly, and keeps its line.
func (s *Schedule) UnmarshalYAML(n *yaml.Node) error {
	*s = Schedule{CatchUp: defaultCatchUp, Overlap: overlapWait, Timeout: defaultTimeout, MaxDrift: defaultMaxDrift, line: n.Line}
	type plain Schedule
	if err := n.Decode((*plain)(s)); err != nil {
		return err
	}
	for i := 0; i+1 < len(n.Content); i += 2 { // Decode doesn't pass KnownFields on
		key := n.Content[i]
		if !slices.Contains(ofList, key.Value) {
			return fmt.Errorf("line %d: unknown key %s", key.Line, key.Value)
		}
		s.keys = append(s.keys, key.Value)
	}
	return nil
}

// The defaults, and the limits.
const (
	defaultCatchUp  = span(time.Hour)
	defaultTimeout  = span(time.Hour)
	maxTimeout      = span(24 * time.Hour)
	maxCatchUp      = 31 * 24 * time.Hour
	defaultMaxDrift = 0.5
	maxMaxDrift     = 1000
	maxFile         = 1 << 20
	// maxName leaves room for a period with seconds in a campaign's ID.
	maxName = campaign.MaxIDLength - len("-20261123t020005z")
)

// Load reads a file of schedules and the campaign files that it names, whose
// paths are relative to its folder. All faults are reported at once.
func Load(path string) ([]*Schedule, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("schedules: %w", err)
	}
	var file struct {
		Schedules []Schedule `yaml:"schedules"`
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(file.Schedules) == 0 {
		return nil, fmt.Errorf("%s: no schedules", path)
	}
	var all []*Schedule
	var faults []error
	names := map[string]bool{}
	for i := range file.Schedules {
		s := &file.Schedules[i]
		all = append(all, s)
		errs := s.check(filepath.Dir(path))
		if names[s.Name] {
			errs = append(errs, errors.New("name: another schedule has it"))
		}
		names[s.Name] = true
		for _, err := range errs {
			faults = append(faults, fmt.Errorf("%s:%d: schedule %s: %w", path, s.line, s.Name, err))
		}
	}
	return all, errors.Join(faults...)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: longer than 1 MB", path)
	}
	return text, err
}

// check returns the schedule's faults. It makes paths absolute, and reads the campaign
// file.
func (s *Schedule) check(folder string) (faults []error) {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	if _, err := campaign.ParseID(s.Name); err != nil || len(s.Name) > maxName {
		check(false, "name: 1 to %d characters of a-z, 0-9, _ and -, beginning with a letter or digit", maxName)
	}
	var err error
	if s.Clock, err = parseClock(s.Cron, s.Zone); err != nil {
		faults = append(faults, err)
	}
	check(s.Overlap == overlapWait || s.Overlap == overlapSkip || s.Overlap == overlapBeside, "overlap: must be wait, skip or beside")
	check(s.CatchUp <= span(maxCatchUp), "catch_up: must be at most %s", maxCatchUp)
	check(s.Timeout >= span(time.Second) && s.Timeout <= maxTimeout, "timeout: must be 1s to 24h")
	check(s.MaxDrift >= 0 && s.MaxDrift <= maxMaxDrift, "max_drift: must be 0 to %d, as a part: 0.5 is 50 %%", maxMaxDrift)
	check(s.Format == "" || s.Format == producer.CSV || s.Format == producer.NDJSON || s.Format == producer.XLSX, "format: must be csv, ndjson or xlsx")
	what := 0
	for _, set := range []bool{s.List != "", len(s.Command) > 0, len(s.Export) > 0} {
		if set {
			what++
		}
	}
	check(what == 1, "exactly one of list, command and export is needed")
	check(len(s.Env) == 0 || s.List == "", "env: is for a program")
	for _, name := range s.Env {
		check(isVariable(name), "env: %q isn't the name of a variable, or the beginning of names with * behind it", name)
	}
	faults = append(faults, s.checkSource(folder)...)
	if len(s.Export) > 0 {
		check(!slices.ContainsFunc(s.keys, func(key string) bool { return !slices.Contains(ofExport, key) }),
			"export: it opens the campaign itself, so that campaign, suppress, column, hold, region, set_aside_bad_rows, format and max_drift are its own to know")
		return faults
	}
	if s.suppresses() {
		check(s.Suppress == suppression.WhyDeactivated.String(), "suppress: must be %s", suppression.WhyDeactivated)
		check(s.Campaign == "" && !s.Hold, "suppress: the list's numbers go on the suppression list, and no campaign is opened")
		check(s.Format == "" || s.Format == producer.CSV, "suppress: the list must be CSV")
		return faults
	}
	check(s.Column == "", "column: is for suppress alone")
	if s.Campaign == "" {
		check(false, "campaign: missing: the file that says what is sent")
		return faults
	}
	if !filepath.IsAbs(s.Campaign) {
		s.Campaign = filepath.Join(folder, s.Campaign)
	}
	if s.template, err = readFile(s.Campaign); err != nil {
		return append(faults, fmt.Errorf("campaign: %w", err))
	}
	if len(faults) == 0 {
		if _, err := s.campaign(PeriodOf(time.Unix(0, 0))); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// checkSource judges where the list comes from, and makes a path absolute.
func (s *Schedule) checkSource(folder string) (faults []error) {
	for _, text := range append(append([]string{s.List}, s.Command...), s.Export...) {
		if err := checkPlaces(text); err != nil {
			faults = append(faults, err)
		}
	}
	switch {
	case s.List == "":
		if len(s.Command) > 0 && s.Format == "" {
			s.Format = producer.CSV
		}
	case strings.Contains(s.List, "://"):
		if !strings.HasPrefix(s.List, "https://") && !strings.HasPrefix(s.List, "http://") && !strings.HasPrefix(s.List, "s3://") {
			faults = append(faults, errors.New("list: must be a file, s3://bucket/key or an https URL"))
		}
	case !filepath.IsAbs(s.List):
		s.List = filepath.Join(folder, s.List)
	}
	return faults
}
