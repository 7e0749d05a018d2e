package schedule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/producer"
)

// Schedule is one schedule of a file.
type Schedule struct {
	Name     string
	Cron     string // as it is written
	Clock    *Clock
	CatchUp  time.Duration // how late a tick may be done
	Overlap  overlap
	Timeout  time.Duration // of reading a list, or of an export
	Hold     bool          // each campaign waits for a person's resume
	Region   string        // as in producer.SubmitOptions
	SetAside bool          // bad rows, as there
	MaxDrift float64       // as a part of the last list's size

	// One of these three is set.
	List    string   // a file, s3://bucket/key or an https URL
	Command []string // prints the list
	Export  []string // opens the campaign itself

	Format   producer.Format // of the list; empty: by its name
	file     string          // the campaign file
	template []byte          // its content
}

// entry is a schedule as it stands in the file.
type entry struct {
	Name     string   `yaml:"name"`
	Cron     string   `yaml:"cron"`
	Zone     string   `yaml:"zone"`
	Campaign string   `yaml:"campaign"`
	List     string   `yaml:"list"`
	Command  []string `yaml:"command"`
	Export   []string `yaml:"export"`
	Format   string   `yaml:"format"`
	CatchUp  *span    `yaml:"catch_up"`
	Overlap  string   `yaml:"overlap"`
	Timeout  *span    `yaml:"timeout"`
	Hold     bool     `yaml:"hold"`
	Region   string   `yaml:"region"`
	SetAside bool     `yaml:"set_aside_bad_rows"`
	MaxDrift *float64 `yaml:"max_drift"`

	line int
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

// UnmarshalYAML reads an entry strictly, and keeps its line.
func (e *entry) UnmarshalYAML(n *yaml.Node) error {
	type plain entry
	if err := n.Decode((*plain)(e)); err != nil {
		return err
	}
	known := regexp.MustCompile(`^(name|cron|zone|campaign|list|command|export|format|catch_up|overlap|timeout|hold|region|set_aside_bad_rows|max_drift)$`)
	for i := 0; i+1 < len(n.Content); i += 2 { // Decode doesn't pass KnownFields on
		if key := n.Content[i]; !known.MatchString(key.Value) {
			return fmt.Errorf("line %d: unknown key %s", key.Line, key.Value)
		}
	}
	e.line = n.Line
	return nil
}

// The defaults, and the limits.
const (
	defaultCatchUp  = time.Hour
	defaultTimeout  = time.Hour
	maxTimeout      = 24 * time.Hour
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
		Schedules []entry `yaml:"schedules"`
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
		e := &file.Schedules[i]
		s, errs := e.schedule(filepath.Dir(path))
		if names[e.Name] {
			errs = append(errs, errors.New("name: another schedule has it"))
		}
		names[e.Name] = true
		for _, err := range errs {
			faults = append(faults, fmt.Errorf("%s:%d: schedule %s: %w", path, e.line, e.Name, err))
		}
		all = append(all, s)
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

func (e *entry) schedule(folder string) (*Schedule, []error) {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	s := &Schedule{
		Name: e.Name, Cron: e.Cron, CatchUp: or(e.CatchUp, defaultCatchUp), Overlap: overlap(e.Overlap),
		Timeout: or(e.Timeout, defaultTimeout), Hold: e.Hold, Region: e.Region, SetAside: e.SetAside, MaxDrift: defaultMaxDrift,
		List: e.List, Command: e.Command, Export: e.Export, Format: producer.Format(e.Format),
	}
	if _, err := campaign.ParseID(e.Name); err != nil || len(e.Name) > maxName {
		check(false, "name: 1 to %d characters of a-z, 0-9, _ and -, beginning with a letter or digit", maxName)
	}
	clock, err := parseClock(e.Cron, e.Zone)
	if err != nil {
		faults = append(faults, err)
	}
	s.Clock = clock
	if s.Overlap == "" {
		s.Overlap = overlapWait
	}
	if e.MaxDrift != nil {
		s.MaxDrift = *e.MaxDrift
	}
	check(s.Overlap == overlapWait || s.Overlap == overlapSkip || s.Overlap == overlapBeside, "overlap: must be wait, skip or beside")
	check(s.CatchUp <= maxCatchUp, "catch_up: must be at most %s", maxCatchUp)
	check(s.Timeout >= time.Second && s.Timeout <= maxTimeout, "timeout: must be 1s to 24h")
	check(s.MaxDrift >= 0 && s.MaxDrift <= maxMaxDrift, "max_drift: must be 0 to %d, as a part: 0.5 is 50 %%", maxMaxDrift)
	check(s.Format == "" || s.Format == producer.CSV || s.Format == producer.NDJSON, "format: must be csv or ndjson")
	what := 0
	for _, set := range []bool{e.List != "", len(e.Command) > 0, len(e.Export) > 0} {
		if set {
			what++
		}
	}
	check(what == 1, "exactly one of list, command and export is needed")
	faults = append(faults, s.checkSource(folder)...)
	if len(e.Export) > 0 {
		check(e.Campaign == "" && !e.Hold && e.Region == "" && !e.SetAside && e.Format == "" && e.MaxDrift == nil,
			"export: it opens the campaign itself, so that campaign, hold, region, set_aside_bad_rows, format and max_drift are its own to know")
		return s, faults
	}
	if s.file = e.Campaign; s.file == "" {
		check(false, "campaign: missing: the file that says what is sent")
		return s, faults
	}
	if !filepath.IsAbs(s.file) {
		s.file = filepath.Join(folder, s.file)
	}
	if s.template, err = readFile(s.file); err != nil {
		return s, append(faults, fmt.Errorf("campaign: %w", err))
	}
	if clock != nil && len(faults) == 0 {
		if _, err := s.campaign(PeriodOf(time.Unix(0, 0))); err != nil {
			faults = append(faults, err)
		}
	}
	return s, faults
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

func or(s *span, otherwise time.Duration) time.Duration {
	if s == nil {
		return otherwise
	}
	return time.Duration(*s)
}
