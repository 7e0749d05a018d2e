package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// Phase is how far an export is.
type Phase string

// The phases.
const (
	Writing Phase = "writing"
	Sending Phase = "sending"
	Done    Phase = "done"
)

// Export is one period's.
type Export struct {
	Period    string
	Campaign  string // its ID
	Phase     Phase
	Until     time.Time // orders before this moment
	Everybody bool      // not only those with orders since their last file
	Initial   bool      // nearly all of its customers had no file before
	Further   []string  // the names of the list's further columns

	Customers int // in the plan, those set aside included
	SetAside  int
	Files     int   // from phase sending on, as the bytes
	Bytes     int64 //

	PlannedAt, LinksExpire, DoneAt time.Time // zero when it hasn't come to that
}

func moment(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}

// Export is a period's export; nil when there is none.
func (s *State) Export(ctx context.Context, period string) (*Export, error) {
	all, err := s.exports(ctx, `WHERE period = @period`, database.Args{"period": period})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// Whole reports whether an export is of all customers, by its options or because it is
// an initial one. Only those of the same kind can be compared.
func (e *Export) Whole() bool { return e.Everybody || e.Initial }

// LastDone returns the export that was finished last, of those that are whole or of
// the others; nil when there is none.
func (s *State) LastDone(ctx context.Context, whole bool) (*Export, error) {
	all, err := s.exports(ctx, `WHERE phase = 'done' AND CASE WHEN everybody + initial > 0 THEN 1 ELSE 0 END = @whole
		ORDER BY done_at DESC, until DESC LIMIT 1`, database.Args{"whole": flag(whole)})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// Exports are the latest, the newest first.
func (s *State) Exports(ctx context.Context, most int) ([]*Export, error) {
	return s.exports(ctx, `ORDER BY planned_at DESC, period DESC LIMIT @most`, database.Args{"most": most})
}

func (s *State) exports(ctx context.Context, where string, args database.Args) ([]*Export, error) {
	var all []*Export
	err := s.read(ctx, "exports", `SELECT period, campaign, phase, until, everybody, initial, further, customers, set_aside, files, bytes,
		planned_at, links_expire, done_at FROM orderhistory_exports `+where, args, func(rows *sql.Rows) error {
		var e Export
		var until, everybody, initial, planned, links, done int64
		var further string
		err := rows.Scan(&e.Period, &e.Campaign, &e.Phase, &until, &everybody, &initial, &further,
			&e.Customers, &e.SetAside, &e.Files, &e.Bytes, &planned, &links, &done)
		if err != nil {
			return err
		}
		e.Until, e.Everybody, e.Initial = time.Unix(until, 0).UTC(), everybody != 0, initial != 0
		e.PlannedAt, e.LinksExpire, e.DoneAt = moment(planned), moment(links), moment(done)
		all = append(all, &e)
		return json.Unmarshal([]byte(further), &e.Further)
	})
	return all, err
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Forget drops an export that was refused before anything was sent: the next
// run of its period begins from the beginning. One that is sending stays.
func (s *State) Forget(ctx context.Context, period string) error {
	return s.exec(ctx, "forget a plan", database.Args{"period": period},
		`DELETE FROM orderhistory_files WHERE period = @period AND EXISTS (
			SELECT 1 FROM orderhistory_exports e WHERE e.period = @period AND e.phase = 'writing')`,
		`DELETE FROM orderhistory_exports WHERE period = @period AND phase = 'writing'`)
}

// Send takes an export whose files are all uploaded and whose links are stored
// to phase sending: from now on its list stands.
func (s *State) Send(ctx context.Context, period string, files int, bytes int64, linksExpire time.Time) error {
	return s.write(ctx, "begin to send", func(tx *sql.Tx) error {
		return s.step(ctx, tx, `UPDATE orderhistory_exports SET phase = 'sending', files = @files, bytes = @bytes, links_expire = @expire
			WHERE period = @period AND phase = 'writing'
			AND NOT EXISTS (SELECT 1 FROM orderhistory_files f WHERE f.period = @period AND
				(f.state IN ('planned', 'written') OR (f.state = 'uploaded' AND f.link = '')))`,
			database.Args{"period": period, "files": files, "bytes": bytes, "expire": linksExpire.Unix()})
	})
}

// Reopen takes an export back to phase writing, so that its links are made anew.
// The caller knows that its campaign doesn't stand.
func (s *State) Reopen(ctx context.Context, period string) error {
	return s.exec(ctx, "make links anew", database.Args{"period": period},
		`UPDATE orderhistory_exports SET phase = 'writing' WHERE period = @period AND phase = 'sending'`)
}

// Finish records that the campaign is open: the files are enqueued, each customer's
// last file is this one, and what the list needed is deleted.
func (s *State) Finish(ctx context.Context, period string, now time.Time) error {
	return s.write(ctx, "finish", func(tx *sql.Tx) error {
		err := s.step(ctx, tx, `UPDATE orderhistory_exports SET phase = 'done', done_at = @now WHERE period = @period AND phase = 'sending'`,
			database.Args{"period": period, "now": now.Unix()})
		if err != nil {
			return err
		}
		return s.execAll(ctx, tx, database.Args{"period": period},
			`INSERT INTO orderhistory_last (customer, period, until)
			SELECT f.customer, f.period, e.until FROM orderhistory_files f
			JOIN orderhistory_exports e ON e.period = f.period WHERE f.period = @period AND f.state = 'uploaded'
			ON CONFLICT (customer) DO UPDATE SET period = excluded.period, until = excluded.until
			WHERE excluded.until > orderhistory_last.until`,
			`UPDATE orderhistory_files SET state = 'enqueued' WHERE period = @period AND state = 'uploaded'`,
			`UPDATE orderhistory_files SET phone = '', name = '', further = '[]', link = '' WHERE period = @period`)
	})
}
