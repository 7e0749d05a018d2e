package console

import (
	"context"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

func (c *Console) suppressionRoutes() {
	c.page("GET /suppression", access.Read, c.suppression)
	c.page("POST /suppression/check", access.Read, c.checkSuppressed) // the number has no place in an address
	c.form("POST /suppression/add", access.Control, c.addSuppressed)
	c.page("POST /suppression/remove/ask", access.Control, c.askUnsuppress)
	c.form("POST /suppression/remove", access.Control, c.removeSuppressed)
	c.upload("POST /suppression/import", access.Control, maxBody, c.importSuppressed)
	c.page("GET /suppression/import/{token}", access.Control, c.imported)
}

const (
	// numbersOnPage is about how many numbers a page shows.
	numbersOnPage = 100
	// maxNumbers is the longest file of numbers, in bytes: a million numbers.
	maxNumbers = 32 << 20
)

// suppressionPage is a part of the list of numbers that are never sent to.
type suppressionPage struct {
	All     int
	Rows    []numberRow
	Next    string // address; empty: that was all
	Rest    bool
	Checked string // what was found of a number
	Found   bool
	Import  *importPage
	Unmask  bool
	MaxMB   int
}

type numberRow struct {
	Phone, Why, By string
	Campaign       string
	Since          time.Time
	Number         string // for the form that removes it; empty without the scope people
}

// importPage is what an import came to.
type importPage struct {
	Name                    string
	Rows, Bad, Added, There int
	Faults                  []badLine
	Wrong                   string // why nothing was imported
}

func (c *Console) suppression(v *visit) (string, any, error) {
	cursor := uint64(0)
	if text := v.URL.Query().Get("from"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return "", nil, refuse(http.StatusBadRequest, "from is a number: begin anew.")
		}
		cursor = n
	}
	p, err := c.suppressionPage(v, cursor)
	return "suppression", p, err
}

func (c *Console) suppressionPage(v *visit, cursor uint64) (*suppressionPage, error) {
	all, err := c.suppressions.Count(v.Context())
	if err != nil {
		return nil, err
	}
	p := &suppressionPage{All: all, Rest: cursor > 0, Unmask: v.may(access.People), MaxMB: maxNumbers >> 20}
	numbers, next, err := c.suppressions.Page(v.Context(), cursor, numbersOnPage)
	for len(numbers) == 0 && next != 0 && err == nil { // a scan may come back with nothing, and not be at its end
		numbers, next, err = c.suppressions.Page(v.Context(), next, numbersOnPage)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range numbers {
		row := numberRow{Phone: v.phone(n.Phone), Why: n.Reason(), By: n.By, Campaign: string(n.Campaign), Since: n.At}
		if p.Unmask {
			row.Number = n.Phone
		}
		p.Rows = append(p.Rows, row)
	}
	if next != 0 {
		p.Next = "/suppression?from=" + strconv.FormatUint(next, 10)
	}
	return p, nil
}

// number is the one in a form. The error never repeats it.
func (c *Console) number(v *visit) (string, error) {
	phone, err := c.normalize(strings.TrimSpace(v.PostFormValue("phone")))
	if err != nil {
		return "", refuse(http.StatusUnprocessableEntity, "The number can't be used: %s. Nothing was done.", err.Error())
	}
	return phone, nil
}

func (c *Console) checkSuppressed(v *visit) (string, any, error) {
	v.Body = http.MaxBytesReader(v.w, v.Body, maxForm)
	if err := badForm(v.ParseForm()); err != nil {
		return "", nil, err
	}
	phone, err := c.number(v)
	if err != nil {
		return "", nil, err
	}
	s, listed, err := c.suppressions.Find(v.Context(), phone)
	if err != nil && !listed {
		return "", nil, err
	}
	p, err := c.suppressionPage(v, 0)
	if err != nil {
		return "", nil, err
	}
	p.Checked, p.Found = v.phone(phone)+" isn't on the list.", listed
	if listed {
		p.Checked = v.phone(phone) + " is on the list, since " + when(s.At) + ": " + s.Reason() + byWhom(s) + "."
	}
	return "suppression", p, nil
}

func byWhom(s suppression.Entry) string {
	switch {
	case s.By != "":
		return ", by " + s.By
	case s.Campaign != "":
		return ", campaign " + string(s.Campaign)
	}
	return ""
}

// byHand is an entry that this visitor makes.
func byHand(v *visit) (suppression.Entry, error) {
	s := suppression.Entry{At: time.Now(), Why: suppression.WhyHand, By: v.key.Name, Note: strings.TrimSpace(v.PostFormValue("why"))}
	if err := s.Check(); err != nil {
		return s, refuse(http.StatusUnprocessableEntity, "%s. Nothing was done.", err.Error())
	}
	return s, nil
}

func (c *Console) addSuppressed(v *visit) (string, error) {
	phone, err := c.number(v)
	if err != nil {
		return "", err
	}
	s, err := byHand(v)
	if err != nil {
		return "", err
	}
	added, err := c.suppressions.Add(v.Context(), phone, s)
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
type unsuppressPage struct{ Number, Phone, Entry string }

func (c *Console) askUnsuppress(v *visit) (string, any, error) {
	v.Body = http.MaxBytesReader(v.w, v.Body, maxForm)
	if err := badForm(v.ParseForm()); err != nil {
		return "", nil, err
	}
	phone, err := c.number(v)
	if err != nil {
		return "", nil, err
	}
	s, listed, err := c.suppressions.Find(v.Context(), phone)
	switch {
	case err != nil && !listed:
		return "", nil, err
	case !listed:
		return "", nil, refuse(http.StatusConflict, "The number isn't on the list.")
	}
	// Whoever asks has the number: they have typed it, or may see it.
	return "unsuppress", unsuppressPage{phone, v.phone(phone), "On the list since " + when(s.At) + ": " + s.Reason() + byWhom(s) + "."}, nil
}

func (c *Console) removeSuppressed(v *visit) (string, error) {
	phone, err := c.number(v)
	if err != nil {
		return "", err
	}
	there, err := c.suppressions.Remove(v.Context(), phone)
	if err != nil {
		return "", err
	}
	if there {
		v.flash("The number is off the list. Who was left out because of it stays left out.")
	} else {
		v.flash("The number wasn't on the list.")
	}
	return "/suppression", nil
}

// importSuppressed reads the file twice, to check all of it before anything of it
// is on the list. Made twice it changes nothing.
func (c *Console) importSuppressed(v *visit) (string, error) {
	p, err := receive(v, maxNumbers)
	if err != nil {
		return "", err
	}
	defer p.list.drop()
	if p.list == nil || p.list.size == 0 {
		return "", refuse(http.StatusUnprocessableEntity, "Choose a file with numbers in it.")
	}
	entry := suppression.Entry{At: time.Now(), Why: suppression.WhyHand, By: v.key.Name, Note: strings.TrimSpace(p.text["why"])}
	if err := entry.Check(); err != nil {
		return "", refuse(http.StatusUnprocessableEntity, "%s. Nothing was done.", err.Error())
	}
	ctx, done := c.long(v)
	defer done()
	page, err := c.importNumbers(ctx, p, entry)
	if err != nil {
		return "", err
	}
	up := &upload{owner: v.key.Name, at: time.Now(), imported: page}
	return "/suppression/import/" + c.uploads.put(c.ctx, up, c.o.UploadLife), nil
}

func (c *Console) importNumbers(ctx context.Context, p *parts, entry suppression.Entry) (*importPage, error) {
	page := &importPage{Name: filepath.Base(p.names["list"])}
	check := suppression.Reader{Name: page.Name, Normalize: c.normalize, Entry: entry, Bad: func(f producer.Fault) {
		if len(page.Faults) < producer.MaxFaults {
			page.Faults = append(page.Faults, badLine{f.Line, f.Message})
		}
	}}
	err := check.Each(ctx, p.list.reader(), func([]suppression.Number) error { return nil })
	page.Rows, page.Bad = check.Rows, check.BadRows
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		page.Wrong = err.Error() + "."
		return page, nil
	case check.BadRows > 0 && p.text["aside"] == "":
		page.Wrong = "There are bad rows. Mend them, or have them left out."
		return page, nil
	}
	second := suppression.Reader{Name: page.Name, Normalize: c.normalize, Entry: entry, Bad: func(producer.Fault) {}}
	err = second.Each(ctx, p.list.reader(), func(numbers []suppression.Number) error {
		n, err := c.suppressions.AddAll(ctx, numbers)
		page.Added += n
		return err
	})
	page.There = page.Rows - page.Bad - page.Added
	return page, err
}

func (c *Console) imported(v *visit) (string, any, error) {
	up := c.uploads.get(v.PathValue("token"), v.key.Name)
	if up == nil || up.imported == nil {
		return "", nil, refuse(http.StatusNotFound, "What this import came to isn't kept any more. The list itself is.")
	}
	p, err := c.suppressionPage(v, 0)
	if err != nil {
		return "", nil, err
	}
	p.Import = up.imported
	return "suppression", p, nil
}
