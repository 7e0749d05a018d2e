package console

import (
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/producer"
)

// upload is a campaign file and a list, checked, that wait to be confirmed.
type upload struct {
	owner    string // the key's name
	at       time.Time
	list     *listFile
	submit   operations.Submission
	checked  reviewPage
	imported *importPage // of an import into the suppression list, and nothing else then

	// Kept by uploads.
	busy, submitted, gone bool
	forgotten             func() // ends what watches over its time
}

type reviewPage struct {
	Token, ID string
	Faults    []string // of the campaign file, or the list as a whole: there is nothing to confirm
	More      int      // faults that aren't shown

	ListName  string
	Spec      *campaign.Spec
	Dry       *operations.DryRun // nil: the files have faults
	Stands    string             // the state of the campaign that has this ID
	Submitted bool
	Until     time.Time
	Can       bool
	MaxMB     int
}

func (c *Console) newCampaign(*visit) (string, any, error) {
	return "newcampaign", reviewPage{MaxMB: int(c.o.MaxUpload >> 20)}, nil
}

// takeUpload keeps the files, and checks them. Nothing is written to the ledger.
func (c *Console) takeUpload(v *visit) (string, error) {
	v.comesBack("upload", c.newCampaign, "list")
	p, err := receive(v, c.o.MaxUpload)
	if err != nil {
		return "", err
	}
	up := &upload{owner: v.key.Principal(), at: time.Now(), list: p.list}
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
		return wrong("list", "Choose both: the campaign file and the list.")
	}
	format, err := producer.FormatOf(p.names["list"])
	if err != nil {
		return err
	}
	if up.submit.File, err = operations.ParseCampaign(filepath.Base(p.names["campaign"]), []byte(p.text["campaign"])); err != nil {
		return page.faulty(err)
	}
	up.submit.List, up.submit.Patience = producer.ListReader(page.ListName, format, up.list.reader()), operations.UploadPatience
	page.ID = string(up.submit.File.Spec.ID)
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(longTime)) // without one there is nothing to move
	if page.Dry, err = c.ops.DryRun(v.Context(), &up.submit); err != nil {
		return page.faulty(err)
	}
	page.Spec = up.submit.File.Spec
	if err := page.Dry.Refusal(true); err != nil {
		page.Faults = []string{sentence(err.Error())}
	}
	return nil
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
	case errors.As(err, &read):
		p.Faults = []string{err.Error()}
	default:
		return err
	}
	return nil
}

var errNoUpload = refuse(http.StatusNotFound,
	"These files are gone: they are kept for an hour, by the console that took them, and not after they were submitted. Nothing was sent. Upload them again.")

func (c *Console) review(v *visit) (string, any, error) {
	up := c.uploads.get(v.PathValue("token"), v.key.Principal())
	if up == nil || up.imported != nil {
		return "", nil, errNoUpload
	}
	page := up.checked
	page.Token, page.Until = v.PathValue("token"), up.at.Add(c.o.UploadLife)
	page.Submitted = c.uploads.isSubmitted(up)
	if page.ID != "" {
		switch stands, err := c.ops.Standing(v.Context(), campaign.ID(page.ID)); {
		case err == nil:
			page.Stands = string(stands.Info.Phase)
		case operations.KindOf(err) != operations.NotFound:
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

// confirm submits what was reviewed. A second click finds it submitted, or under
// way; and the campaign's ID makes a second submit of the same do nothing.
func (c *Console) confirm(v *visit) (string, error) {
	token := v.PathValue("token")
	up := c.uploads.get(token, v.key.Principal())
	if up == nil || up.imported != nil {
		return "", errNoUpload
	}
	if len(up.checked.Faults) > 0 {
		return "", refuse(http.StatusConflict, "These files can't be submitted: correct them, and upload them again.")
	}
	v.comesBack("confirm", c.review, "start", "at", "aside", "why")
	begin, err := beginning(v)
	if err != nil {
		return "", err
	}
	aside := v.PostFormValue("aside") != ""
	if err := up.checked.Dry.Refusal(aside); err != nil {
		return "", err
	}
	to := "/campaigns/" + up.checked.ID
	if c.uploads.hold(token, v.key.Principal()) == nil {
		if c.uploads.isSubmitted(up) {
			return to, nil // clicked twice
		}
		return "", refuse(http.StatusConflict, "Another click is submitting it. Look at the campaign in a moment.")
	}
	submitted := false
	defer func() { c.uploads.release(up, submitted) }()
	ctx, done := c.long(v)
	defer done()
	up.submit.Begin, up.submit.SetAside = begin, aside
	result, err := c.ops.Submit(ctx, &up.submit)
	if err != nil {
		return "", err
	}
	submitted = true
	if result.Already {
		v.flash("The campaign stood already with the same content: nothing has changed.")
	} else {
		v.flash("The campaign is " + string(result.Info.Phase) + ", with " + campaign.Count(result.Info.Total, "person") + ".")
	}
	return to, nil
}

func beginning(v *visit) (b campaign.Beginning, err error) {
	b.By = v.author()
	switch v.PostFormValue("start") {
	case "now":
	case "paused":
		b.Hold = true
	case "at":
		if b.StartAt, err = time.ParseInLocation(fieldTime, v.PostFormValue("at"), time.UTC); err != nil {
			err = wrong("at", "When shall it start? The date and time can't be read. Nothing was sent.")
		}
	default:
		err = wrong("start", "Choose when it starts. Nothing was sent.")
	}
	return b, err
}
