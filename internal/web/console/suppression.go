package console

import (
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

const (
	// numbersOnPage is about how many numbers a page shows.
	numbersOnPage = 100
	// maxNumbers is the longest file of numbers, in bytes: a million numbers.
	maxNumbers = 32 << 20
)

type suppressionPage struct {
	All     int
	Rows    []numberRow
	Next    string // the cursor; empty: that was all
	Rest    bool
	Checked string // what was found of a number
	Found   bool
	History []operations.SuppressionEntry // of the number, if more is known than that
	OptOuts []operations.OptOut
	Import  *importPage
	Unmask  bool
	MaxMB   int
}

type numberRow struct {
	operations.SuppressedNumber
	Shown string // the phone number as the visitor may see it
}

type importPage struct {
	*operations.Imported
	Name  string
	Wrong string // why nothing was imported
}

func (c *Console) suppression(v *visit) (string, any, error) {
	p, err := c.suppressionPage(v)
	return "suppression", p, err
}

func (c *Console) suppressionPage(v *visit) (*suppressionPage, error) {
	all, err := c.ops.CountSuppressed(v.Context())
	if err != nil {
		return nil, err
	}
	from := v.URL.Query().Get("from")
	numbers, next, err := c.ops.SuppressedPage(v.Context(), from, numbersOnPage)
	if err != nil {
		return nil, err
	}
	p := &suppressionPage{All: all, Next: next, Rest: from != "", Unmask: v.may(access.People), MaxMB: maxNumbers >> 20}
	if p.OptOuts, err = c.ops.OptOuts(v.Context()); err != nil {
		return nil, err
	}
	for i := range p.OptOuts {
		p.OptOuts[i].User = v.phone(p.OptOuts[i].User)
	}
	for _, n := range numbers {
		p.Rows = append(p.Rows, numberRow{n, v.phone(n.Phone)})
	}
	return p, nil
}

func (c *Console) number(v *visit) (*operations.Suppression, error) {
	return c.ops.Suppression(v.Context(), v.PostFormValue("phone"))
}

func since(s *operations.Suppression) string {
	return "on the list, since " + when(s.At) + ": " + s.Entry.String() + "."
}

func (c *Console) checkSuppressed(v *visit) (string, any, error) {
	v.comesBack("check", c.suppression, "phone")
	// Who knows numbers could ask who has opted out.
	if err := v.key.Require(access.People); err != nil {
		return "", nil, refuse(http.StatusForbidden, "%s", sentence(err.Error()))
	}
	s, err := c.number(v)
	if err != nil {
		return "", nil, err
	}
	p, err := c.suppressionPage(v)
	if err != nil {
		return "", nil, err
	}
	p.Checked, p.Found = v.phone(s.Phone)+" isn't on the list.", s.Listed
	if s.Listed {
		p.Checked = v.phone(s.Phone) + " is " + since(s)
	}
	if !s.Listed || len(s.History) > 1 {
		p.History = s.History
	}
	return "suppression", p, nil
}

func (c *Console) addSuppressed(v *visit) (string, error) {
	v.comesBack("add", c.suppression, "phone", "why")
	s, err := c.number(v)
	if err != nil {
		return "", err
	}
	_, added, err := c.ops.Suppress(v.Context(), s, v.actor(v.PostFormValue("why")))
	if err != nil {
		return "", err
	}
	if added {
		v.flash("The number is on the list: nothing is sent to it any more.")
	} else {
		v.flash("The number was on the list already; its entry stays.")
	}
	return "/suppression", nil
}

// unsuppressPage asks before a number is taken off the list.
type unsuppressPage struct{ Number, Phone, Entry, Since, Risk string }

func (c *Console) askUnsuppress(v *visit) (string, any, error) {
	v.comesBack("remove", c.suppression, "phone")
	s, err := c.number(v)
	switch {
	case err != nil:
		return "", nil, err
	case !s.Listed:
		return "", nil, refuse(http.StatusConflict, "The number isn't on the list.")
	}
	// The visitor may see the number in the form: they have typed it, or have the scope.
	return "unsuppress", unsuppressPage{
		s.Phone, v.phone(s.Phone), "It is " + since(s), s.At.Format(time.RFC3339), operations.UnsuppressRisk,
	}, nil
}

// askUnsuppressAgain is the question of a form that comes back.
func (c *Console) askUnsuppressAgain(v *visit) (string, any, error) {
	back := v.back
	name, data, err := c.askUnsuppress(v)
	v.back = back
	return name, data, err
}

func (c *Console) removeSuppressed(v *visit) (string, error) {
	v.comesBack("ask", c.askUnsuppressAgain, "why")
	at, err := time.Parse(time.RFC3339, v.PostFormValue("since"))
	if err != nil {
		return "", refuse(http.StatusUnprocessableEntity, "The form has no since: look the number up again.")
	}
	s, err := c.number(v)
	if err == nil {
		err = s.Seen(at)
	}
	if err != nil {
		return "", err
	}
	there, err := c.ops.Unsuppress(v.Context(), s, v.actor(v.PostFormValue("why")))
	if err != nil {
		return "", err
	}
	if there {
		v.flash("The number is off the list. People who were left out because of it stay left out.")
	} else {
		v.flash("The number wasn't on the list.")
	}
	return "/suppression", nil
}

func (c *Console) settleOptOut(v *visit) (string, error) {
	id, number := v.PostFormValue("id"), v.PostFormValue("phone")
	v.comesBack("settle-"+id, c.suppression, "phone", "why")
	if number == "" && v.PostFormValue("none") == "" {
		return "", wrong("phone", "Write the number, or choose to let the STOP go.")
	}
	if v.PostFormValue("none") != "" {
		number = ""
	}
	if _, err := c.ops.SettleOptOut(v.Context(), id, number, v.actor(v.PostFormValue("why"))); err != nil {
		return "", err
	}
	if number == "" {
		v.flash("The STOP is settled, and no number is on the list for it.")
	} else {
		v.flash("The STOP is settled: the number is on the list.")
	}
	return "/suppression", nil
}

func (c *Console) importSuppressed(v *visit) (string, error) {
	v.comesBack("import", c.suppression, "list", "why")
	p, err := receive(v, maxNumbers)
	if err != nil {
		return "", err
	}
	defer p.list.drop()
	v.back.values = url.Values{"why": {p.text["why"]}, "aside": {p.text["aside"]}}
	if p.list == nil || p.list.size == 0 {
		return "", wrong("list", "Choose a file with numbers in it.")
	}
	ctx, done := c.long(v)
	defer done()
	page := &importPage{Name: filepath.Base(p.names["list"])}
	page.Imported, err = c.ops.ImportSuppressed(ctx, operations.Import{
		File: p.list.reader(), Name: page.Name, By: v.actor(p.text["why"]), SetAside: p.text["aside"] != "",
	})
	if err != nil && (page.Imported == nil || operations.KindOf(err) != operations.Refused) {
		return "", err
	}
	if err != nil {
		page.Wrong = sentence(err.Error())
	}
	up := &upload{owner: v.key.Principal(), at: time.Now(), imported: page}
	return "/suppression/import/" + c.uploads.put(c.ctx, up, c.o.UploadLife), nil
}

func (c *Console) imported(v *visit) (string, any, error) {
	up := c.uploads.get(v.PathValue("token"), v.key.Principal())
	if up == nil || up.imported == nil {
		return "", nil, refuse(http.StatusNotFound, "The result of this import isn't kept any more. The list itself is.")
	}
	p, err := c.suppressionPage(v)
	if err != nil {
		return "", nil, err
	}
	p.Import = up.imported
	return "suppression", p, nil
}
