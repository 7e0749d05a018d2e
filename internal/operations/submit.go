package operations

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/producer"
)

// Submission is a campaign file and a list, and how to take them.
type Submission struct {
	File      *producer.File
	List      producer.List
	Begin     campaign.Beginning
	SetAside  bool                        // send to the good rows and report the bad ones; without it any bad row rejects the list
	MaxFaults int                         // how many faults are reported in full, if over [producer.MaxFaults]
	Samples   int                         // how many requests a dry run shows; 0: three
	Patience  time.Duration               // how long to wait for another submit of the campaign, in whole seconds; 0: until its end
	Progress  func(rows int, bytes int64) // as in [producer.SubmitOptions]; may be nil, as OnWait
	OnWait    func()
}

// UploadPatience is for how long an upload waits for another one of the same
// campaign: a little over the 15 s after which a draft may be taken over.
const UploadPatience = 20 * time.Second

// DryRun checks a submission. It writes nothing, and needs no Redis. Bad rows
// aren't an error: see [DryRun.Refusal]. A fault of the file, or of a template that
// it uses, is.
func (o *Operations) DryRun(ctx context.Context, s *Submission) (*DryRun, error) {
	if err := s.checkBeginning(); err != nil {
		return nil, err
	}
	if err := o.checkAccount(ctx, s.File); err != nil {
		return nil, err
	}
	notes, err := o.checkTemplates(ctx, s.File)
	if err != nil {
		return nil, err
	}
	account, _ := o.account(ctx, s.File.Spec.AccountName())
	numbers := 0
	if usesRCS(s.File) {
		numbers = capabilitySample
	}
	d, err := producer.Check(ctx, s.File, s.List, producer.CheckOptions{
		Numbers: numbers,
		Region:  o.o.Region, MaxFaults: s.MaxFaults, AccountRate: account.Rate, Now: s.Begin.StartAt, Progress: s.Progress, Samples: s.Samples,
		Allow: allow(o.bounds(ctx)),
	})
	if err != nil {
		return nil, submitting(s.File.Spec.ID, err)
	}
	if len(d.Numbers) > 0 {
		notes = append(notes, rcsNote(ctx, account.Telesign, d.Numbers))
	}
	return &DryRun{d, notes}, nil
}

// Submit makes a campaign of a submission. It may be made again at any time, also
// after a crash, and does the same thing once.
//
// Errors: Refused, also for a start that is past or a template that can't be sent,
// unless the campaign stands already; OtherContent; Busy; Unavailable. [*producer.Faults] and
// [*producer.ReadError] stay reachable behind them.
func (o *Operations) Submit(ctx context.Context, s *Submission) (*Submitted, error) {
	id := s.File.Spec.ID
	if s.Begin.Hold {
		if err := s.checkBeginning(); err != nil {
			return nil, err
		}
	}
	var notes []string
	err := o.checkAccount(ctx, s.File)
	if err == nil {
		notes, err = o.checkTemplates(ctx, s.File)
	}
	if err == nil {
		err = s.checkBeginning()
	}
	if err != nil {
		// Made again after its start has come, or its template has gone, it still finds
		// what it has done.
		if _, stands := o.Standing(ctx, id); stands != nil {
			return nil, err
		}
	}
	var done *Submitted
	err = o.traced(ctx, "submit", ofCampaign(id), s.Begin.By, func() error {
		result, err := o.submit(ctx, s)
		done = &Submitted{result, notes}
		return err
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

func (o *Operations) submit(ctx context.Context, s *Submission) (*producer.Result, error) {
	id, key := s.File.Spec.ID, o.bounds(ctx)
	if s.Begin.Owner == "" {
		s.Begin.Owner = key.Principal()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	waited := time.Duration(0)
	result, err := o.producer.Submit(ctx, s.File, s.List, producer.SubmitOptions{
		Region: o.o.Region, SetAsideBadRows: s.SetAside, MaxFaults: s.MaxFaults, Begin: s.Begin, Progress: s.Progress,
		Allow: allow(key), Gate: o.count(ctx, key, id),
		OnWait: func() { // each second
			if s.OnWait != nil {
				s.OnWait()
			}
			if waited += time.Second; waited == s.Patience {
				cancel(errWaited)
			}
		},
	})
	if cause := context.Cause(ctx); errors.Is(cause, errWaited) {
		err = cause
	}
	if err != nil {
		return nil, submitting(id, err)
	}
	return result, nil
}

// Submitted is what a submit has done.
type Submitted struct {
	*producer.Result
	Templates []string // notes about the templates
}

var errWaited = &Error{Kind: Busy, Text: "another submit of this campaign is under way; nothing was done: try again in a moment"}

// checkBeginning reports a beginning that can't be.
func (s *Submission) checkBeginning() error {
	at := s.Begin.StartAt
	switch {
	case at.IsZero():
		return nil
	case s.Begin.Hold:
		return refusef(Refused, "start_at", "a campaign either starts at a time or is held until a person resumes it: choose one of the two")
	case !at.After(now()):
		return refusef(Refused, "start_at", "%s is past; nothing was sent", at.Format(time.RFC3339))
	}
	return nil
}

// ParseCampaign reads a campaign file. The error is Refused, with the
// [*producer.Faults] behind it.
func ParseCampaign(name string, src []byte) (*producer.File, error) {
	f, err := producer.ParseCampaign(name, src)
	return f, submitting("", err)
}

// submitting is about, for what is wrong with files.
func submitting(id campaign.ID, err error) error {
	var faults *producer.Faults
	switch {
	case errors.As(err, &faults):
		return &Error{Kind: Refused, Text: "nothing was sent: " + campaign.Count(faults.Total, "fault"), Err: err}
	case errors.Is(err, producer.ErrNotRereadable):
		return &Error{Kind: Busy, Text: "another submit has interfered: make the same one again", Err: err}
	}
	return about(id, err)
}

// DryRun is what submitting something would do.
type DryRun struct {
	*producer.DryRun
	Templates []string // notes about the templates, and about who can take RCS
}

// Refusal returns why a submit would refuse the list for what stands in it; nil
// if it would take it.
func (d *DryRun) Refusal(setAside bool) error {
	bad, good := d.Summary.BadRows, d.Summary.Recipients
	switch {
	case bad > 0 && good == 0:
		return refusef(Refused, "", "the list has %s and no good one", campaign.Count(bad, "bad row"))
	case good == 0:
		return about("", producer.ErrEmptyList)
	case bad > 0 && !setAside:
		return refusef(Refused, "set_aside_bad_rows", "the list has %s: correct it, or set bad rows aside to send to the others", campaign.Count(bad, "bad row"))
	}
	return nil
}

// Takes says how long sending takes; empty if that isn't known.
func (d *DryRun) Takes() string {
	takes := "over a year"
	switch {
	case d.Duration == 0:
		return ""
	case d.Duration > 0:
		takes = campaign.FormatDuration(max(time.Second, d.Duration.Round(time.Second)))
	}
	return fmt.Sprintf("%s at %g messages a second", takes, d.Rate)
}

// Parts says how many SMS the text messages take, as in: 1 to 2 a message, 59 if
// everyone gets the SMS. It is empty for a campaign without any.
func (d *DryRun) Parts() string {
	each := campaign.Number(d.SMS.Min)
	switch {
	case d.SMS.Total == 0:
		return ""
	case d.SMS.Max != d.SMS.Min:
		each += " to " + campaign.Number(d.SMS.Max)
	}
	return fmt.Sprintf("%s a message, %s if everyone gets the SMS", each, campaign.Number(d.SMS.Total))
}

// DuplicateLines names the lines of a list's duplicates: 61, 70, …
func DuplicateLines(s producer.Summary) string {
	lines := make([]string, len(s.DuplicateLines))
	for i, n := range s.DuplicateLines {
		lines[i] = strconv.Itoa(n)
	}
	if s.Duplicates > len(lines) {
		lines = append(lines, "…")
	}
	return strings.Join(lines, ", ")
}

// ZoneName is the name of the zones that some recipients are in, or may be in.
func ZoneName(zones []string) string {
	switch n := len(zones); n {
	case 0:
		return "an unknown zone"
	case 1:
		return zones[0]
	default:
		return zones[0] + " or " + campaign.Count(n-1, "other")
	}
}
