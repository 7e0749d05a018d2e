package operations

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/templates"
	"github.com/handout-dev/handout/internal/templates/cache"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
)

// Telesign asks the vendor, for faces.
type Telesign = telesign.Client

// Template is one of the account's templates, for faces.
type Template = telesign.Template

const (
	// templatesAge is how old a kept list may be that is taken as it is. A refusal is
	// never made of one.
	templatesAge = time.Minute
	// templatesTime bounds all that is asked about templates at a time.
	templatesTime = 3 * time.Second
	// templatesPause is how long to wait before another question: Telesign takes one a
	// second (its page on rate limits, Template Management).
	templatesPause = time.Second
)

// noCredentials is why Telesign can't be asked.
const noCredentials = "TELESIGN_CUSTOMER_ID and TELESIGN_API_KEY aren't set here"

// TemplateList is what Telesign lists as the account's templates.
type TemplateList struct {
	At        time.Time // when it did; zero: it isn't known
	Templates []Template
	Problem   string // why Telesign couldn't be asked now; empty if it was, or needn't be

	kept bool // it was asked for before
}

// Templates returns an account's templates: a list that is younger than a minute, else
// what Telesign answers now within three seconds, else the last that is known, with the
// Problem. Errors: Refused, Denied.
func (o *Operations) Templates(ctx context.Context, account string) (*TemplateList, error) {
	ctx, cancel := context.WithTimeout(ctx, templatesTime)
	defer cancel()
	a, err := o.account(ctx, account)
	if err != nil {
		return nil, err
	}
	return o.templates(ctx, a, templatesAge), nil
}

// templates is Templates, with another age.
func (o *Operations) templates(ctx context.Context, a *Account, age time.Duration) *TemplateList {
	var kept cache.Listed
	if o.rdb != nil {
		kept, _ = cache.Read(ctx, o.rdb, a.name) // without it Telesign is asked
	}
	if since := now().Sub(kept.At); !kept.At.IsZero() && since >= 0 && since < age {
		return &TemplateList{At: kept.At, Templates: kept.Templates, kept: true}
	}
	if a.Telesign == nil {
		return &TemplateList{At: kept.At, Templates: kept.Templates, Problem: noCredentials, kept: true}
	}
	var all []Template
	err := patiently(ctx, func() (err error) {
		all, err = a.Telesign.Templates(ctx)
		return err
	})
	if err != nil {
		return &TemplateList{At: kept.At, Templates: kept.Templates, Problem: unlisted(ctx, err), kept: true}
	}
	list := &TemplateList{At: now().UTC().Truncate(time.Second), Templates: all}
	if o.rdb != nil {
		_ = cache.Write(ctx, o.rdb, a.name, cache.Listed{At: list.At, Templates: all}) // the next one asks again
	}
	return list
}

// patiently asks again while Telesign says that it was asked too often.
func patiently(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		var e *telesign.Error
		if !errors.As(err, &e) || !e.Throttled {
			return err
		}
		select {
		case <-time.After(max(e.RetryAfter, templatesPause)):
		case <-ctx.Done():
			return err
		}
	}
}

// unlisted says why Telesign doesn't list templates.
func unlisted(ctx context.Context, err error) string {
	var e *telesign.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("Telesign gave no answer within %s", templatesTime)
	case errors.As(err, &e) && e.Code == telesign.CodeTemplatesDisabled:
		return fmt.Sprintf("Telesign: %d %s; its support enables it", e.Code, e.Code.Text())
	case errors.As(err, &e) && e.Code != 0:
		return fmt.Sprintf("Telesign: %d %s", e.Code, e.Code.Text())
	case errors.As(err, &e) && e.HTTPStatus == 0 && e.Err != nil:
		return "Telesign can't be reached: " + e.Err.Error()
	case errors.As(err, &e):
		return fmt.Sprintf("HTTP %d, and no list", e.HTTPStatus)
	}
	return err.Error()
}

// Template returns one of an account's templates. Errors: Refused, Denied; NotFound; Unavailable, also
// when Telesign can't be asked.
func (o *Operations) Template(ctx context.Context, account, channel, name string) (*Template, error) {
	a, err := o.account(ctx, account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, templatesTime)
	defer cancel()
	n := telesign.TemplateName{Channel: channel, Name: name}
	list := o.templates(ctx, a, templatesAge)
	if t := templates.Find(list.Templates, n); t != nil {
		return t, nil
	}
	if list.Problem != "" {
		return nil, refusef(Unavailable, "", "Telesign's templates aren't known: %s", list.Problem)
	}
	one, err := a.template(ctx, n)
	switch {
	case err == nil:
		return &one, nil
	case telesign.UnknownTemplate(err):
		return nil, refusef(NotFound, "", "Telesign lists no template %s for %s; it doesn't list the predefined ones (text, file, image and so on)", name, channel)
	}
	return nil, &Error{Kind: Unavailable, Text: "Telesign can't be asked for the template: " + unlisted(ctx, err), Err: err}
}

// template asks Telesign for one template.
func (a *Account) template(ctx context.Context, n telesign.TemplateName) (one Template, err error) {
	err = patiently(ctx, func() (err error) {
		one, err = a.Telesign.Template(ctx, n)
		return err
	})
	return one, err
}

// checkTemplates looks, once, at what Telesign says of a campaign's templates. A
// certain fault is an error, Refused, with the [*producer.Faults] behind it; all else,
// also that Telesign can't be asked, is a note.
func (o *Operations) checkTemplates(ctx context.Context, f *producer.File) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, templatesTime)
	defer cancel()
	custom := templates.Custom(f.Spec)
	if len(custom) == 0 {
		return split(f, templates.Check(f.Spec, nil, false))
	}
	a, err := o.account(ctx, f.Spec.AccountName())
	if err != nil {
		return nil, err
	}
	list := o.templates(ctx, a, templatesAge)
	if list.kept && list.Problem == "" && faulty(templates.Check(f.Spec, list.Templates, !list.At.IsZero())) {
		list = o.templates(ctx, a, 0)
	}
	if list.Problem != "" {
		return unsure(f, list)
	}
	known := list.Templates
	for _, n := range custom {
		if templates.Find(known, n) != nil {
			continue
		}
		// It isn't in the list: that there is none is certain when Telesign says so of
		// this one, too.
		one, err := a.template(ctx, n)
		switch {
		case err == nil:
			one.TemplateName = n
			known = append(known, one)
		case !telesign.UnknownTemplate(err):
			list.Problem = fmt.Sprintf("%s of %s isn't in Telesign's list, and can't be asked for: %s", n.Name, n.Channel, unlisted(ctx, err))
			return unsure(f, list)
		}
	}
	return split(f, templates.Check(f.Spec, known, true))
}

func faulty(found []templates.Finding) bool {
	for _, f := range found {
		if f.Fault {
			return true
		}
	}
	return false
}

// unsure makes notes of all that is found by an old list, or without any.
func unsure(f *producer.File, list *TemplateList) ([]string, error) {
	notes, err := split(f, templates.Check(f.Spec, nil, false)) // the predefined ones need no list
	if err != nil {
		return notes, err
	}
	notes = append(notes, "the templates weren't checked: "+list.Problem)
	if list.At.IsZero() {
		return notes, nil
	}
	for _, found := range templates.Check(f.Spec, list.Templates, true) {
		if found.Fault {
			notes = append(notes, fmt.Sprintf("as of %s: %s", list.At.Format(time.RFC3339), found))
		}
	}
	return notes, nil
}

// split makes of findings the notes and the error.
func split(f *producer.File, all []templates.Finding) (notes []string, err error) {
	var faults producer.Faults
	for _, found := range all {
		if found.Fault {
			faults.List = append(faults.List, f.Fault(found.Path, found.Text))
			faults.Total++
		} else {
			notes = append(notes, found.String())
		}
	}
	if faults.Total > 0 {
		err = submitting(campaign.ID(f.Spec.ID), &faults)
	}
	return notes, err
}
