package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// What a check of files has come to; else it is under way, or hasn't begun.
const (
	FilesPassed = "passed"
	FilesFailed = "failed"
)

// fieldCheck of meta: "", FilesPassed, FilesFailed, or filesRunning and the
// progress in JSON.
const (
	fieldCheck   = "check"
	filesRunning = "running "
)

// FilesProgress is how far a check of files has come.
type FilesProgress struct {
	Next   int    `json:"next"`            // how many people have been looked at
	Bad    int    `json:"bad,omitempty"`   // whose file has a fault
	First  string `json:"first,omitempty"` // of them: fault and place, without URL
	Unsure int    `json:"unsure,omitempty"`
}

// CheckedFiles reads what the check of a campaign's files has come to: as it
// stands, and how far it is.
func (l *Ledger) CheckedFiles(ctx context.Context, c campaign.ID) (stood string, p FilesProgress, err error) {
	stood, err = l.rdb.HGet(ctx, keyMeta(c), fieldCheck).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", p, fmt.Errorf("read the check of files of campaign %s: %w", c, err)
	}
	if text, ok := strings.CutPrefix(stood, filesRunning); ok {
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return "", p, fmt.Errorf("read the check of files of campaign %s: %w", c, err)
		}
	}
	return stood, p, nil
}

// KeepFiles writes down how far a check has come. stood is what CheckedFiles
// said: someone else's word since then stands.
func (l *Ledger) KeepFiles(ctx context.Context, c campaign.ID, stood string, p FilesProgress) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, _, err = l.steer(ctx, c, steering{
		from: []campaign.Phase{campaign.Running}, field: fieldCheck, value: stood, set: []any{fieldCheck, filesRunning + string(b)},
	})
	return err
}

// PassFiles lets a campaign be sent whose check came to words.
func (l *Ledger) PassFiles(ctx context.Context, c campaign.ID, stood, words string, now time.Time) error {
	_, _, err := l.steer(ctx, c, steering{
		from: []campaign.Phase{campaign.Running}, field: fieldCheck, value: stood,
		set: []any{fieldCheck, FilesPassed}, entry: campaign.Machine(words).Entry(now, "looked at the files", ""),
	})
	return err
}

// FailFiles holds a campaign whose check came to words. A person's resume sends
// all the same.
func (l *Ledger) FailFiles(ctx context.Context, c campaign.ID, stood, words string, now time.Time) error {
	reason := "files: " + words
	_, _, err := l.steer(ctx, c, steering{
		from: []campaign.Phase{campaign.Running}, field: fieldCheck, value: stood,
		set:   []any{fieldState, string(campaign.Held), fieldReason, reason, fieldCheck, FilesFailed},
		entry: campaign.Machine(reason).Entry(now, "held", ""),
	})
	return err
}

// overruledFiles is what a resume sets in meta after a failed check.
func (l *Ledger) overruledFiles(ctx context.Context, c campaign.ID) ([]any, error) {
	stood, _, err := l.CheckedFiles(ctx, c)
	if err != nil || stood != FilesFailed {
		return nil, err
	}
	return []any{fieldCheck, FilesPassed}, nil
}
