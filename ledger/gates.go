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

// The results of a check of files; without one it is under way, or hasn't begun.
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
	Next   int    `json:"next"`            // how many people have been checked
	Bad    int    `json:"bad,omitempty"`   // whose file has a fault
	First  string `json:"first,omitempty"` // the first of them: fault and place, without URL
	Unsure int    `json:"unsure,omitempty"`
}

// CheckedFiles reads the check of a campaign's files: its stored form, and its
// progress.
func (l *Ledger) CheckedFiles(ctx context.Context, c campaign.ID) (stood string, p FilesProgress, err error) {
	stood, err = l.rdb.HGet(ctx, l.keys.meta(c), fieldCheck).Result()
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

// KeepFiles records the progress of a check. stood is what CheckedFiles returned;
// another worker's result since then stands.
func (l *Ledger) KeepFiles(ctx context.Context, c campaign.ID, stood string, p FilesProgress) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return l.judge(ctx, c, fieldCheck, stood, filesRunning+string(b), "", campaign.Entry{})
}

// PassFiles records that a check has passed; words say its result.
func (l *Ledger) PassFiles(ctx context.Context, c campaign.ID, stood, words string, now time.Time) error {
	return l.judge(ctx, c, fieldCheck, stood, FilesPassed, "", campaign.Machine(words).Entry(now, "looked at the files", ""))
}

// FailFiles holds a campaign whose check has failed; words say its result. Once a
// person resumes it, it is sent all the same.
func (l *Ledger) FailFiles(ctx context.Context, c campaign.ID, stood, words string, now time.Time) error {
	reason := "files: " + words
	return l.judge(ctx, c, fieldCheck, stood, FilesFailed, reason, campaign.Machine(reason).Entry(now, "held", ""))
}

// PassCanary lets a running campaign go on beyond its canary; words say the result.
// stood is the outcome that was read: another worker's decision since then stands.
func (l *Ledger) PassCanary(ctx context.Context, c campaign.ID, stood, words string, now time.Time) error {
	return l.judge(ctx, c, fieldCanary, stood, campaign.CanaryPassed, "", campaign.Machine(words).Entry(now, "passed the canary", ""))
}

// FailCanary holds a campaign whose canary has failed; words say the result, and
// stood is as in PassCanary.
func (l *Ledger) FailCanary(ctx context.Context, c *campaign.Info, stood, words string, now time.Time) error {
	reason := fmt.Sprintf("canary: %s, %s %% are needed", words, campaign.Percent(c.Spec.CanaryLimit()))
	return l.judge(ctx, c.ID, fieldCanary, stood, campaign.CanaryFailed, reason, campaign.Machine(reason).Entry(now, "held", ""))
}

// judge sets a field of a running campaign that stood at a value, and holds it if
// there is a reason.
func (l *Ledger) judge(ctx context.Context, c campaign.ID, field, stood, becomes, hold string, e campaign.Entry) error {
	set := []any{field, becomes}
	if hold != "" {
		set = append(set, fieldState, string(campaign.Held), fieldReason, hold)
	}
	_, _, err := l.steer(ctx, c, steering{from: []campaign.Phase{campaign.Running}, field: field, value: stood, set: set, entry: e})
	return err
}
