package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

func (c *Console) newCampaignRoutes() {
	c.page("GET /new", access.Submit, c.newCampaign)
	c.upload("POST /new", access.Submit, maxBody, c.takeUpload)
	c.page("GET /new/{token}", access.Submit, c.review)
	c.form("POST /new/{token}", access.Submit, c.confirm)
}

// upload is a campaign file and a list, checked, that wait to be confirmed.
type upload struct {
	owner    string // the key's name
	at       time.Time
	file     *producer.File
	list     *listFile
	format   producer.Format
	listName string
	checked  reviewPage
	imported *importPage // of an import into the suppression list, and nothing else then

	// Kept by uploads.
	busy, submitted, gone bool
	forgotten             func() // ends what watches over its time
}

// reviewPage is the dry run of an upload.
type reviewPage struct {
	Token, ID string
	Faults    []string // of the campaign file, or the list as a whole: there is nothing to confirm
	More      int      // faults that aren't shown

	ListName                              string
	Rows, Recipients, Duplicates, BadRows int
	DuplicateLines                        string
	BadLines                              []badLine
	Samples                               []string
	SMS                                   string
	Takes                                 string
	Hours                                 []fact
	Unused                                string
	Stands                                string // the state of the campaign that has this ID
	Submitted                             bool
	Until                                 time.Time
	Can                                   bool
	MaxMB                                 int
}

type badLine struct {
	Line    int
	Message string
}

func (c *Console) newCampaign(*visit) (string, any, error) {
	return "newcampaign", reviewPage{MaxMB: int(c.o.MaxUpload >> 20)}, nil
}

// takeUpload keeps the files, and checks them. Nothing is written to the ledger.
func (c *Console) takeUpload(v *visit) (string, error) {
	p, err := receive(v, c.o.MaxUpload)
	if err != nil {
		return "", err
	}
	up := &upload{owner: v.key.Name, at: time.Now(), list: p.list}
	if err := c.check(v, up, p); err != nil {
		p.list.drop()
		return "", err
	}
	return "/new/" + c.uploads.put(c.ctx, up, c.o.UploadLife), nil
}

func (c *Console) check(v *visit, up *upload, p *parts) error {
	page := &up.checked
	page.ListName = filepath.Base(p.names["list"])
	if p.text["campaign"] == "" || up.list == nil || up.list.size == 0 {
		return refuse(http.StatusUnprocessableEntity, "Choose both: the campaign file and the list.")
	}
	var err error
	if up.format, err = producer.FormatOf(p.names["list"]); err != nil {
		return refuse(http.StatusUnprocessableEntity, "The list's name must end in .csv, .ndjson or .jsonl, which says how it is written.")
	}
	up.listName = page.ListName
	if up.file, err = producer.ParseCampaign(filepath.Base(p.names["campaign"]), []byte(p.text["campaign"])); err != nil {
		return page.faulty(err)
	}
	page.ID = string(up.file.Spec.ID)
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(longTime)) // without one there is nothing to move
	d, err := producer.Check(v.Context(), up.file, up.read(), producer.CheckOptions{
		Region: c.o.Region, SetAsideBadRows: true, AccountRate: c.o.AccountRate, MaxFaults: producer.MaxFaults,
	})
	if err != nil {
		return page.faulty(err)
	}
	page.describe(up.file, d)
	return nil
}

func (up *upload) read() producer.List {
	return producer.ListReader(up.listName, up.format, up.list.reader())
}

// faulty keeps what is wrong with the files; other errors pass.
func (p *reviewPage) faulty(err error) error {
	var faults *producer.Faults
	var read *producer.ReadError
	switch {
	case errors.As(err, &faults):
		for _, f := range faults.List {
			p.Faults = append(p.Faults, f.String())
		}
		p.More = faults.Total - len(faults.List)
	case errors.As(err, &read), errors.Is(err, producer.ErrEmptyList):
		p.Faults = []string{err.Error()}
	default:
		return err
	}
	return nil
}

func (p *reviewPage) describe(file *producer.File, d *producer.DryRun) {
	s := d.Summary
	p.Rows, p.Recipients, p.Duplicates, p.BadRows = s.Rows, s.Recipients, s.Duplicates, s.BadRows
	lines := make([]string, len(s.DuplicateLines))
	for i, n := range s.DuplicateLines {
		lines[i] = strconv.Itoa(n)
	}
	if s.Duplicates > len(lines) {
		lines = append(lines, "…")
	}
	p.DuplicateLines = strings.Join(lines, ", ")
	for _, f := range s.Faults {
		p.BadLines = append(p.BadLines, badLine{f.Line, f.Message})
	}
	for _, sample := range d.Samples {
		var b bytes.Buffer
		if json.Indent(&b, sample, "", "  ") == nil {
			p.Samples = append(p.Samples, b.String())
		}
	}
	if d.SMS.Total > 0 {
		p.SMS = strconv.Itoa(d.SMS.Min)
		if d.SMS.Max != d.SMS.Min {
			p.SMS += " to " + strconv.Itoa(d.SMS.Max)
		}
		p.SMS += " each, " + count(d.SMS.Total) + " if everyone gets the SMS"
	}
	switch {
	case d.Duration < 0:
		p.Takes = "over a year"
	case d.Duration > 0:
		p.Takes = campaign.FormatDuration(max(time.Second, d.Duration))
	}
	if p.Takes != "" {
		p.Takes += fmt.Sprintf(", at %g messages a second", d.Rate)
	}
	p.Unused = strings.Join(d.ColumnsUnused, ", ")
	p.Hours = hoursFacts(file.Spec, d.Hours)
	if p.Recipients == 0 {
		p.Faults = []string{"Nobody is left to send to."}
	}
}

// zonesShown is how many zones the dry run names.
const zonesShown = 8

// hoursFacts say who can be sent to when, were it to start now.
func hoursFacts(s *campaign.Spec, h *producer.HoursPlan) []fact {
	if h == nil {
		return nil
	}
	where := "by each recipient's clock"
	if !s.ByZone() {
		where = "in " + s.Hours.Zone
	}
	days := "every day"
	if len(s.Hours.Days) > 0 {
		days = strings.Join(s.Hours.Days, ", ")
	}
	facts := []fact{
		{"Hours", s.Hours.From + " to " + s.Hours.To + " " + where + ", " + days},
		{"Could be sent to now", count(h.Now)},
	}
	for _, o := range h.Opens {
		facts = append(facts, fact{"Not before " + o.At.UTC().Format("Mon 15:04") + " UTC", count(o.Recipients)})
	}
	if h.Waiting > 0 {
		facts = append(facts, fact{"Never sent to, their zone being unknown", count(h.Waiting)})
	}
	for i, z := range h.Zones {
		if i == zonesShown || !s.ByZone() {
			break
		}
		name := "an unknown zone"
		if len(z.Zones) > 0 {
			name = z.Zones[0]
		}
		if len(z.Zones) > 1 {
			name += " or " + plural(len(z.Zones)-1, "other")
		}
		facts = append(facts, fact{"In " + name, count(z.Recipients)})
	}
	return facts
}

var errNoUpload = refuse(http.StatusNotFound,
	"These files are gone: they are kept for an hour, by the console that took them, and not after they were submitted. Nothing was sent. Upload them again.")

func (c *Console) review(v *visit) (string, any, error) {
	up := c.uploads.get(v.PathValue("token"), v.key.Name)
	if up == nil || up.imported != nil {
		return "", nil, errNoUpload
	}
	page := up.checked
	page.Token, page.Until = v.PathValue("token"), up.at.Add(c.o.UploadLife)
	page.Submitted = c.uploads.isSubmitted(up)
	if page.ID != "" {
		info, err := c.ledger.Info(v.Context(), campaign.ID(page.ID))
		switch {
		case err == nil && info.Phase != campaign.Draft:
			page.Stands = string(info.Phase)
		case err != nil && !errors.Is(err, ledger.ErrNotFound):
			return "", nil, err
		}
	}
	page.Can = len(page.Faults) == 0 && !page.Submitted
	return "newcampaign", page, nil
}

func (u *uploads) isSubmitted(up *upload) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return up.submitted
}

// busyPatience is how many seconds a submit waits for another one of the same
// campaign.
const busyPatience = 20

// confirm submits what was reviewed. A second click finds it submitted, or under
// way; and the campaign's ID makes a second submit of the same do nothing.
func (c *Console) confirm(v *visit) (string, error) {
	token := v.PathValue("token")
	up := c.uploads.get(token, v.key.Name)
	if up == nil || up.imported != nil {
		return "", errNoUpload
	}
	if len(up.checked.Faults) > 0 {
		return "", refuse(http.StatusConflict, "These files can't be submitted: mend them, and upload them again.")
	}
	to := "/campaigns/" + up.checked.ID
	begin, err := beginning(v)
	if err != nil {
		return "", err
	}
	aside := v.PostFormValue("aside") != ""
	if up.checked.BadRows > 0 && !aside {
		return "", refuse(http.StatusUnprocessableEntity, "The list has %s. Say that they are left out, or mend the list. Nothing was sent.", plural(up.checked.BadRows, "bad row"))
	}
	if c.uploads.hold(token, v.key.Name) == nil {
		if c.uploads.isSubmitted(up) {
			return to, nil // clicked twice
		}
		return "", refuse(http.StatusConflict, "It is being submitted by another click. Look at the campaign in a moment.")
	}
	submitted := false
	defer func() { c.uploads.release(up, submitted) }()
	ctx, done := c.long(v)
	defer done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	waited := 0
	result, err := producer.New(c.o.Redis).Submit(ctx, up.file, up.read(), producer.SubmitOptions{
		Region: c.o.Region, SetAsideBadRows: aside, Begin: begin,
		OnWait: func() {
			if waited++; waited == busyPatience {
				cancel(errBusy)
			}
		},
	})
	var other *producer.OtherContentError
	switch {
	case errors.Is(context.Cause(ctx), errBusy):
		return "", errBusy
	case errors.As(err, &other), errors.Is(err, ledger.ErrOtherContent):
		return "", refuse(http.StatusConflict, "A campaign %s stands already, with other content. Nothing was sent: give this one another ID.", up.checked.ID)
	case err != nil:
		return "", err
	}
	submitted = true
	if result.Already {
		v.flash("The campaign stood already with the same content: nothing has changed.")
	} else {
		v.flash("The campaign is " + string(result.Info.Phase) + ", with " + count(result.Info.Total) + " people.")
	}
	return to, nil
}

var errBusy = refuse(http.StatusConflict, "Somebody else is submitting this campaign. Nothing was done by this click: try again in a moment.")

// beginning reads when the campaign is to begin.
func beginning(v *visit) (campaign.Beginning, error) {
	b := campaign.Beginning{By: v.actor(reasonOf(v))}
	switch v.PostFormValue("start") {
	case "now":
	case "hold":
		b.Hold = true
	case "at":
		at, err := time.ParseInLocation(fieldTime, v.PostFormValue("at"), time.UTC)
		if err != nil {
			return b, refuse(http.StatusUnprocessableEntity, "When shall it start? The date and time can't be read. Nothing was sent.")
		}
		if !at.After(time.Now()) {
			return b, refuse(http.StatusUnprocessableEntity, "%s is past. Nothing was sent.", when(at))
		}
		b.StartAt = at
	default:
		return b, refuse(http.StatusUnprocessableEntity, "Choose when it starts. Nothing was sent.")
	}
	return b, nil
}
