package worker

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/filecheck"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

const (
	// fileSample is how many recipients a sample of files has.
	fileSample = 20
	// filesAtOnce are checked at once.
	filesAtOnce = 5
	// maxBadFiles ends a check of all files early.
	maxBadFiles = 20
)

// fileParameters are those that name a file by its URL.
var fileParameters = []string{"url", "header_url", "media_url", "document_url"}

// filesPass reports whether a campaign may be fed as far as its files go. If not, they
// are checked beside the looks: the next look comes when that has ended, and another
// worker goes on if this one dies.
func (w *Worker) filesPass(ctx context.Context, s *subject) (pass bool, err error) {
	if s.Spec.CheckFiles == campaign.CheckNone || s.Spec.Standing {
		return true, nil
	}
	stood, _, err := w.ledger.CheckedFiles(ctx, s.ID)
	if err != nil || stood == ledger.FilesPassed {
		return err == nil, err
	}
	p := w.planner
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.checking[s.ID] {
		p.checking[s.ID] = true
		p.looks.Go(func() { w.checkFiles(w.stopping, s) })
	}
	return false, nil
}

// checkFiles checks a campaign's files to the end, as long as this worker has the
// lease.
func (w *Worker) checkFiles(ctx context.Context, s *subject) {
	var err error
	for more := true; more && err == nil && w.planner.looking(); {
		more, err = w.checkSome(ctx, s)
	}
	w.planner.mu.Lock()
	delete(w.planner.checking, s.ID)
	w.planner.mu.Unlock()
	if err == nil {
		err = w.ledger.Call(ctx, s.ID)
	}
	if err != nil {
		w.complain(ctx, "check files", err)
	}
}

// checkSome checks the next few files; more: there are others.
func (w *Worker) checkSome(ctx context.Context, s *subject) (more bool, err error) {
	phase, _, _, err := w.ledger.Phase(ctx, s.ID)
	if err != nil || phase != campaign.Running {
		return false, err
	}
	stood, p, err := w.ledger.CheckedFiles(ctx, s.ID)
	if err != nil || stood == ledger.FilesPassed {
		return false, err
	}
	// A campaign that failed the check and runs was just resumed: begin anew.
	places := filePlaces(s.Info)
	if err := w.checkNextFiles(ctx, s, places, &p); err != nil {
		return false, err
	}
	now := w.clock.Now()
	switch {
	case p.Bad > 0 && (p.Next >= places.count || p.Bad >= maxBadFiles):
		words := fmt.Sprintf("%s of %s can't be sent: %s", campaign.Number(p.Bad), campaign.Number(places.people(p.Next)), p.First)
		w.log.Error("campaign held", "campaign", s.ID, "files", words)
		return false, w.ledger.FailFiles(ctx, s.ID, stood, words, now)
	case p.Next >= places.count:
		words := "of " + campaign.Count(places.people(p.Next), "person")
		if p.Unsure > 0 {
			words += "; of " + campaign.Number(p.Unsure) + " the name, or the type, doesn't fit the file"
		}
		return false, w.ledger.PassFiles(ctx, s.ID, stood, words, now)
	}
	return true, w.ledger.KeepFiles(ctx, s.ID, stood, p)
}

// places are the recipients whose files are checked, by number.
type places struct {
	count  int
	at     func(i int) (page, index int)
	people func(i int) int // how many of the first i places have a recipient
}

func filePlaces(c *campaign.Info) places {
	everyone := func(i int) int { return i }
	plain := func(i int) (int, int) { return i / campaign.PageSize, i % campaign.PageSize }
	switch {
	case c.Spec.CheckFiles == campaign.CheckSample && c.Total > fileSample:
		return places{fileSample, func(i int) (int, int) { return nth(c, i*c.Total/fileSample) }, everyone}
	case !c.Zoned():
		return places{c.Total, plain, everyone}
	}
	// Pages by zone may be partly filled; all places are gone through.
	return places{c.Pages * campaign.PageSize, plain, func(i int) int {
		n := 0
		for page := range i/campaign.PageSize + 1 {
			n += min(c.Size(page), i-page*campaign.PageSize)
		}
		return n
	}}
}

// nth returns the place of a campaign's nth recipient, from 0.
func nth(c *campaign.Info, n int) (page, index int) {
	if !c.Zoned() {
		return n / campaign.PageSize, n % campaign.PageSize
	}
	for n >= c.Size(page) {
		n -= c.Size(page)
		page++
	}
	return page, n
}

// checkNextFiles checks the next few files.
func (w *Worker) checkNextFiles(ctx context.Context, s *subject, all places, p *ledger.FilesProgress) error {
	until, err := w.neededUntil(ctx, s)
	if err != nil {
		return err
	}
	n := min(filesAtOnce, all.count-p.Next)
	found := make([]filecheck.Verdict, n)
	errs := make([]error, n)
	var checking sync.WaitGroup
	for i := range n {
		page, index := all.at(p.Next + i)
		if index >= s.Size(page) {
			continue
		}
		checking.Go(func() { found[i], errs[i] = w.checkFilesOf(ctx, s, campaign.Place{Page: page, Index: index}, until) })
	}
	checking.Wait()
	for i := range n {
		if errs[i] != nil {
			return errs[i]
		}
		if found[i].Unsure {
			p.Unsure++
		}
		if found[i].Fault == "" {
			continue
		}
		if p.Bad++; p.First == "" {
			page, index := all.at(p.Next + i)
			p.First = fmt.Sprintf("%s (%s)", found[i].Fault, campaign.Place{Page: page, Index: index})
		}
	}
	p.Next += n
	return nil
}

// checkFilesOf judges the files of one recipient. An error says nothing about them.
func (w *Worker) checkFilesOf(ctx context.Context, s *subject, p campaign.Place, until time.Time) (filecheck.Verdict, error) {
	people, err := w.ledger.Recipients(ctx, s.ID, p.Page)
	if err != nil {
		return filecheck.Verdict{}, err
	}
	m, err := translate.Compose(s.cascade, &people[p.Index], s.ExternalID(p, 1), "")
	if err != nil {
		return filecheck.Verdict{Fault: "the message can't be made"}, nil
	}
	content, own := m.Content[telesign.ChannelWhatsApp]
	if !own && slices.ContainsFunc(m.Channels, func(ch telesign.Channel) bool { return ch.Channel == telesign.ChannelWhatsApp }) {
		content = m.Content[telesign.ContentDefault]
	}
	parameters := content.Parameters
	v := filecheck.Verdict{}
	for name, value := range parameters {
		u, err := url.Parse(value)
		if !slices.Contains(fileParameters, name) || err != nil || (u.Scheme != "http" && u.Scheme != "https") {
			continue
		}
		if err := w.filesPace.Wait(ctx); err != nil {
			return v, err
		}
		one := w.files.Check(ctx, u, parameters["file_name"], until)
		if ctx.Err() != nil {
			return v, ctx.Err() // a shutdown says nothing about the file
		}
		if v.Unsure = v.Unsure || one.Unsure; v.Fault == "" {
			v.Fault = one.Fault
		}
	}
	return v, nil
}

// neededUntil returns until when a link must hold. Recipients of an unknown zone have
// no hours, and don't count.
func (w *Worker) neededUntil(ctx context.Context, s *subject) (time.Time, error) {
	left, err := w.ledger.ZonesLeft(ctx, s.Info)
	if err != nil {
		return time.Time{}, err
	}
	now := w.clock.Now()
	lasts := campaign.LinkLife(s.Spec, left, rateOf(s)/float64(1+w.planner.beside(s.account.name)), now)
	if lasts < 0 {
		return time.Unix(math.MaxInt32, 0), nil // no link holds for a year
	}
	return now.Add(lasts), nil
}
