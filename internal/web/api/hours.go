package api

import (
	"time"

	"github.com/handout-dev/handout/producer"
)

// HoursFile is when people may be sent to.
type HoursFile struct {
	From string   `json:"from" example:"09:00" doc:"time of the day"`
	To   string   `json:"to" example:"20:00" doc:"time of the day after from; 24:00 is its end"`
	Zone string   `json:"zone" example:"recipient" doc:"recipient, for each one's own; or the IANA name of one zone for all"`
	Days []string `json:"days,omitempty" nullable:"false" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"left out: every day"`
}

// DryHours is who of a list can be sent to when.
type DryHours struct {
	Zones   []DryZone `json:"zones" nullable:"false" doc:"most people first"`
	Now     int       `json:"now" doc:"how many can be sent to at once"`
	Later   []DryLate `json:"later" nullable:"false" doc:"how many must wait, by the time when their window opens"`
	Unknown int       `json:"unknown" doc:"how many have no known zone; unknown_zone says what becomes of them"`
	Apart   int       `json:"apart" doc:"how many may be in several zones that have no minute of the hours in common; likewise"`
	Never   int       `json:"never" doc:"how many are never sent to"`
}

// DryZone is the people of a list in one zone, or in any of several.
type DryZone struct {
	Zones      []string   `json:"zones" nullable:"false" doc:"none: unknown"`
	Recipients int        `json:"recipients"`
	Open       bool       `json:"open" doc:"they can be sent to at once"`
	Opens      *time.Time `json:"opens,omitempty" doc:"when they can be; left out: now, or never"`
}

// DryLate is the people whose window opens at a time.
type DryLate struct {
	At         time.Time `json:"at"`
	Local      time.Time `json:"local" doc:"the same by the clock of most of them"`
	Recipients int       `json:"recipients"`
}

// NewDryHours returns a plan of hours in the JSON of the API and the command line;
// nil for none.
func NewDryHours(p *producer.HoursPlan) *DryHours {
	if p == nil {
		return nil
	}
	d := &DryHours{Zones: []DryZone{}, Later: []DryLate{}, Now: p.Now, Unknown: p.Unknown, Apart: p.Apart, Never: p.Waiting}
	for _, z := range p.Zones {
		d.Zones = append(d.Zones, DryZone{append([]string{}, z.Zones...), z.Recipients, z.Open, when(z.Opens)})
	}
	for _, o := range p.Opens {
		d.Later = append(d.Later, DryLate{o.At.UTC(), o.At, o.Recipients})
	}
	return d
}
