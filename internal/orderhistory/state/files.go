package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// FileState is how far a customer's file is.
type FileState string

// The states of a file.
const (
	Planned  FileState = "planned"
	Written  FileState = "written"
	Uploaded FileState = "uploaded"
	Enqueued FileState = "enqueued"
	SetAside FileState = "set_aside"
)

// File is one customer's in one period.
type File struct {
	Seq       int // the place in the plan, from 1
	Customer  string
	State     FileState
	Reason    string // of one that is set aside
	Phone     string // E.164
	Name      string
	Further   []string
	Orders    int       // at least so many must be in the file
	LastOrder time.Time // when the latest came about

	Object string // its name in the store
	Size   int64  // bytes
	SHA256 string
	Link   string
}

// Totals sum a plan up.
type Totals struct {
	Customers, SetAside int
	Ready               int   // uploaded or enqueued
	Bytes               int64 // of those
}

// Aside is a customer who is set aside.
type Aside struct {
	Customer string `json:"customer"`
	Reason   string `json:"reason"`
}

// Plan fixes the customers of an export, in one transaction: fill adds them, those
// without orders since their last file are left out unless the export is for
// everybody, those that share a number with one before are set aside, e says whether
// it is an initial export, and judge decides on the result. An error of fill or judge
// leaves no trace.
func (s *State) Plan(ctx context.Context, e *Export, fill func(add func(*File) error) error, judge func(Totals) error) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		p := &plan{s: s, tx: tx, period: e.Period}
		if err := fill(func(f *File) error { return p.add(ctx, f) }); err != nil {
			return err
		}
		if err := p.flush(ctx); err != nil {
			return err
		}
		if err := p.settle(ctx, e.Everybody); err != nil {
			return fmt.Errorf("state: plan: %w", err)
		}
		t, err := p.result(ctx, e)
		if err != nil {
			return fmt.Errorf("state: plan: %w", err)
		}
		if err := judge(t); err != nil {
			return err
		}
		e.Customers, e.SetAside = t.Customers, t.SetAside
		return p.stand(ctx, e)
	})
}

// plan is a plan that is being made.
type plan struct {
	s      *State
	tx     *sql.Tx
	period string
	batch  []database.Args
	n      int
}

// plannedAtOnce is how many customers are inserted by one statement.
const plannedAtOnce = 500

func (p *plan) add(ctx context.Context, f *File) error {
	further, err := json.Marshal(f.Further)
	if err != nil {
		return err
	}
	p.n++
	p.batch = append(p.batch, database.Args{
		"seq": p.n, "customer": f.Customer, "state": string(f.State), "reason": f.Reason, "phone": f.Phone, "name": f.Name,
		"further": string(further), "orders": f.Orders, "last_order": f.LastOrder.Unix(), "object": f.Object,
	})
	if len(p.batch) == plannedAtOnce {
		return p.flush(ctx)
	}
	return nil
}

var planFields = []string{
	"customer text", "seq bigint", "state text", "reason text", "phone text", "name text", "further text",
	"orders bigint", "last_order bigint", "object text",
}

// ErrTwice means that a customer was added twice.
var ErrTwice = errors.New("a customer comes twice")

func (p *plan) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	const into = `INSERT INTO orderhistory_files (period, `
	names := strings.Join(database.Names(planFields), ", ")
	n, err := p.s.db.ExecRows(ctx, p.tx,
		into+names+`) VALUES (@period, @`+strings.Join(database.Names(planFields), ", @")+`) ON CONFLICT (period, customer) DO NOTHING`,
		into+names+`) SELECT @period, `+names+` FROM %s ON CONFLICT (period, customer) DO NOTHING`,
		planFields, p.batch, database.Args{"period": p.period})
	if err != nil {
		return fmt.Errorf("state: plan: %w", err)
	}
	if n != len(p.batch) {
		return ErrTwice
	}
	p.batch = p.batch[:0]
	return nil
}

// settle leaves out customers that aren't due, and sets aside those that share a
// number.
func (p *plan) settle(ctx context.Context, everybody bool) error {
	var statements []string
	if !everybody {
		statements = append(statements, `DELETE FROM orderhistory_files WHERE period = @period AND EXISTS (
			SELECT 1 FROM orderhistory_last l WHERE l.customer = orderhistory_files.customer AND l.until > orderhistory_files.last_order)`)
	}
	statements = append(statements, `UPDATE orderhistory_files SET state = 'set_aside', reason = 'the phone number is another customer''s, too'
		WHERE period = @period AND state = 'planned' AND seq NOT IN (
			SELECT min(seq) FROM orderhistory_files WHERE period = @period AND state = 'planned' GROUP BY phone)`)
	return p.s.execAll(ctx, p.tx, database.Args{"period": p.period}, statements...)
}

// initialShare is how many times as many customers as ever had a file an initial
// export has. A shop that begins with a handful as a trial begins a second time.
const initialShare = 10

// result sums the plan up, and finds out whether the export is an initial one.
func (p *plan) result(ctx context.Context, e *Export) (t Totals, err error) {
	rows, err := p.s.db.Query(ctx, p.tx, totalsQuery, database.Args{"period": p.period})
	if err != nil {
		return t, err
	}
	if err := each(rows, t.scan); err != nil {
		return t, err
	}
	had := 0
	if rows, err = p.s.db.Query(ctx, p.tx, `SELECT count(*) FROM orderhistory_last`, nil); err != nil {
		return t, err
	}
	err = each(rows, func(rows *sql.Rows) error { return rows.Scan(&had) })
	e.Initial = had*initialShare < t.Customers
	return t, err
}

func (p *plan) stand(ctx context.Context, e *Export) error {
	further, err := json.Marshal(append([]string{}, e.Further...))
	if err != nil {
		return err
	}
	err = p.s.execAll(ctx, p.tx, database.Args{
		"period": e.Period, "campaign": e.Campaign, "until": e.Until.Unix(), "everybody": flag(e.Everybody), "initial": flag(e.Initial),
		"further": string(further), "customers": e.Customers, "aside": e.SetAside, "now": e.PlannedAt.Unix(),
	}, `INSERT INTO orderhistory_exports (period, campaign, phase, until, everybody, initial, further, customers, set_aside, planned_at)
		VALUES (@period, @campaign, 'writing', @until, @everybody, @initial, @further, @customers, @aside, @now)`)
	if err != nil {
		return fmt.Errorf("state: plan: %w", err)
	}
	return nil
}

const totalsQuery = `SELECT count(*), coalesce(sum(CASE WHEN state = 'set_aside' THEN 1 ELSE 0 END), 0),
	coalesce(sum(CASE WHEN state IN ('uploaded', 'enqueued') THEN 1 ELSE 0 END), 0),
	CAST(coalesce(sum(CASE WHEN state IN ('uploaded', 'enqueued') THEN size ELSE 0 END), 0) AS bigint)
	FROM orderhistory_files WHERE period = @period`

const asideQuery = `SELECT customer, reason FROM orderhistory_files WHERE period = @period AND state = 'set_aside' ORDER BY seq LIMIT 1000`

func (t *Totals) scan(rows *sql.Rows) error {
	return rows.Scan(&t.Customers, &t.SetAside, &t.Ready, &t.Bytes)
}

// Totals returns the sums of a period.
func (s *State) Totals(ctx context.Context, period string) (Totals, error) {
	var t Totals
	if err := s.read(ctx, "totals", totalsQuery, database.Args{"period": period}, t.scan); err != nil {
		return t, err
	}
	if t.Customers > 0 {
		return t, nil
	}
	// Its files' rows have been pruned.
	e, err := s.Export(ctx, period)
	if err == nil && e != nil && e.Phase == Done {
		t = Totals{Customers: e.Customers, SetAside: e.SetAside, Ready: e.Files, Bytes: e.Bytes}
	}
	return t, err
}

// Aside returns the first 1,000 customers of a period that are set aside.
func (s *State) Aside(ctx context.Context, period string) (all []Aside, err error) {
	err = s.read(ctx, "the customers set aside", asideQuery, database.Args{"period": period}, scanAside(&all))
	return all, err
}

func scanAside(all *[]Aside) func(*sql.Rows) error {
	*all = []Aside{}
	return func(rows *sql.Rows) error {
		var a Aside
		err := rows.Scan(&a.Customer, &a.Reason)
		*all = append(*all, a)
		return err
	}
}

// Chunks returns the files of a period in these states, in the plan's order, size at a
// time. Files may be marked on the way.
func (s *State) Chunks(ctx context.Context, period string, size int, in ...FileState) iter.Seq2[[]File, error] {
	return func(yield func([]File, error) bool) {
		for after := 0; ; {
			files, err := s.next(ctx, period, after, size, in)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(files) == 0 || !yield(files, nil) {
				return
			}
			after = files[len(files)-1].Seq
		}
	}
}

// next returns the next files after a place in the plan.
func (s *State) next(ctx context.Context, period string, after, size int, in []FileState) (all []File, err error) {
	args := database.Args{"period": period, "after": after, "size": size}
	names := make([]string, len(in))
	for i, state := range in {
		names[i] = fmt.Sprintf("@state%d", i)
		args[names[i][1:]] = string(state)
	}
	err = s.read(ctx, "files", `SELECT seq, customer, state, phone, name, further, orders, object, size, sha256, link FROM orderhistory_files
		WHERE period = @period AND seq > @after AND state IN (`+strings.Join(names, ", ")+`) ORDER BY seq LIMIT @size`,
		args, func(rows *sql.Rows) error {
			var f File
			var further string
			if err := rows.Scan(&f.Seq, &f.Customer, &f.State, &f.Phone, &f.Name, &further, &f.Orders, &f.Object, &f.Size, &f.SHA256, &f.Link); err != nil {
				return err
			}
			all = append(all, f)
			return json.Unmarshal([]byte(further), &all[len(all)-1].Further)
		})
	return all, err
}

// Mark writes how far some files are: state, reason, size, checksum and
// link, all or none. It never touches an export that is sending or done.
func (s *State) Mark(ctx context.Context, period string, files []File) error {
	if len(files) == 0 {
		return nil
	}
	rows := make([]database.Args, len(files))
	for i, f := range files {
		rows[i] = database.Args{
			"seq": f.Seq, "state": string(f.State), "reason": f.Reason, "size": f.Size, "sha256": f.SHA256, "link": f.Link,
		}
	}
	const update = `UPDATE orderhistory_files SET `
	const writing = ` AND EXISTS (SELECT 1 FROM orderhistory_exports e WHERE e.period = @period AND e.phase = 'writing')`
	return s.write(ctx, "mark files", func(tx *sql.Tx) error {
		n, err := s.db.ExecRows(ctx, tx,
			update+`state = @state, reason = @reason, size = @size, sha256 = @sha256, link = @link WHERE period = @period AND seq = @seq`+writing,
			update+`state = r.state, reason = r.reason, size = r.size, sha256 = r.sha256, link = r.link FROM %s
				WHERE orderhistory_files.period = @period AND orderhistory_files.seq = r.seq`+writing,
			[]string{"seq bigint", "state text", "reason text", "size bigint", "sha256 text", "link text"},
			rows, database.Args{"period": period})
		if err == nil && n != len(files) {
			err = errUnfinished
		}
		return err
	})
}
