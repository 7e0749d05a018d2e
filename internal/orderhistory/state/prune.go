package state

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// Prune deletes who had which file in periods that were finished before a moment,
// and whole plans from before it that never came to anything. What stays is one
// row for each finished period, which is never done again; the end of each customer's
// last file; refusals and decisions.
func (s *State) Prune(ctx context.Context, before time.Time) error {
	args := database.Args{"before": before.Unix()}
	const old = `(SELECT period FROM orderhistory_exports
		WHERE phase = 'done' AND done_at < @before OR phase = 'writing' AND planned_at < @before)`
	err := s.write(ctx, func(tx *sql.Tx) error {
		for _, query := range []string{
			// As the files' rows say it now.
			`UPDATE orderhistory_exports SET set_aside = customers - files WHERE phase = 'done' AND done_at < @before`,
			`DELETE FROM orderhistory_files WHERE period IN ` + old,
			`DELETE FROM orderhistory_exports WHERE phase = 'writing' AND planned_at < @before`,
		} {
			if _, err := s.db.Exec(ctx, tx, query, args); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("state: prune: %w", err)
	}
	return nil
}
