package suppression

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

//go:embed lua/change.lua
var changeSource string

var changeScript = redis.NewScript(changeSource)

const (
	// maxTries is how often a change is computed anew because others were faster.
	maxTries = 100
	// maxHeard is how many references of inbound messages are kept, some 100 bytes
	// each: only messages without a time need one.
	maxHeard = 100_000
)

var errBusy = errors.New("others keep changing the same numbers")

// Add puts a number on the list, and reports whether it is new there. The first entry
// stays, unless a STOP follows it; what was said before a START, or is replayed,
// changes nothing. Calling it twice does no harm.
func (l *List) Add(ctx context.Context, phone string, e Entry) (bool, error) {
	n, err := l.AddAll(ctx, []Number{{phone, e}})
	return n == 1, err
}

// AddAll is Add for many, best a thousand at a time; it returns how many of them are
// new there. After an error some of them may be on the list; calling it again does no
// harm.
func (l *List) AddAll(ctx context.Context, numbers []Number) (added int, err error) {
	for i := range numbers {
		if err := numbers[i].check(false); err != nil {
			return 0, fmt.Errorf("suppress a number: %w", err)
		}
	}
	changed, err := l.tell(ctx, numbers, "")
	for _, c := range changed {
		if c {
			added++
		}
	}
	return added, explain("put numbers on the suppression list", err)
}

// Stop records that the person of these numbers has written STOP. If the message has
// no time, reference is its name, and the same message again changes nothing.
func (l *List) Stop(ctx context.Context, phones []string, e Entry, reference string) error {
	if err := e.check(false); err != nil {
		return fmt.Errorf("suppress a number: %w", err)
	}
	numbers := make([]Number, len(phones))
	for i, phone := range phones {
		numbers[i] = Number{phone, e}
	}
	if reference != "" {
		heard, err := l.heard(ctx, reference)
		if err != nil || heard {
			return explain("look for a message in the suppression list", err)
		}
	}
	_, err := l.tell(ctx, numbers, reference)
	return explain("put a number on the suppression list", err)
}

// Remove takes a number off the list, and reports whether it did: e says why, by a
// START or by a person. A START that wasn't said after the number's entry changes
// nothing.
func (l *List) Remove(ctx context.Context, phone string, e Entry) (bool, error) {
	if err := e.check(true); err != nil {
		return false, fmt.Errorf("take a number off the suppression list: %w", err)
	}
	changed, err := l.tell(ctx, []Number{{phone, e}}, "")
	return err == nil && changed[0], explain("take a number off the suppression list", err)
}

// heard reports whether a message has been acted on.
func (l *List) heard(ctx context.Context, reference string) (bool, error) {
	err := l.rdb.ZScore(ctx, l.keys.heard(), reference).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}

// change is what becomes of one field.
type change struct {
	number        int // which of the numbers it is about
	field         string
	before, after words
}

// tell applies a word to each number, and reports of which numbers it changed whether
// they are on the list. What is kept of a number changes in one step; if the process
// dies between two steps, some of the numbers have changed.
func (l *List) tell(ctx context.Context, numbers []Number, reference string) ([]bool, error) {
	changed := make([]bool, len(numbers))
	todo := make([]int, len(numbers))
	fields := make([][]string, len(numbers))
	for i := range numbers {
		var err error
		if fields[i], err = fieldsOf(numbers[i].Phone); err != nil {
			return changed, err
		}
		todo[i] = i
	}
	for lost := 0; lost < maxTries; {
		now, later := distinct(todo, fields)
		changes, err := l.changes(ctx, numbers, fields, now)
		if err != nil {
			return changed, err
		}
		if len(changes) > 0 || reference != "" {
			made, err := l.run(ctx, changes, reference)
			if err != nil {
				return changed, err
			}
			var again []int
			for i, c := range changes {
				switch {
				case made[i] && c.before.on() != c.after.on():
					changed[c.number] = true
				case !made[i] && !slices.Contains(again, c.number):
					again = append(again, c.number)
				}
			}
			if len(again) > 0 {
				later = append(again, later...)
				lost++
			}
		}
		if todo = later; len(todo) == 0 {
			return changed, nil
		}
	}
	return changed, errBusy
}

// distinct splits those to do: a number that occurs several times, in any of its
// forms, has its turn once at a time.
func distinct(todo []int, fields [][]string) (now, later []int) {
	taken := make(map[string]bool, len(todo))
	for _, i := range todo {
		if first := fields[i][0]; !taken[first] {
			taken[first] = true
			now = append(now, i)
		} else {
			later = append(later, i)
		}
	}
	return now, later
}

// changes reads what is kept of those numbers that are still to do, and returns what
// becomes of it. A number that is kept under no form gets that which is dialled.
func (l *List) changes(ctx context.Context, numbers []Number, fields [][]string, todo []int) ([]change, error) {
	if len(todo) == 0 {
		return nil, nil
	}
	var asked []string
	for _, i := range todo {
		asked = append(asked, fields[i]...)
	}
	pipe := l.rdb.Pipeline()
	entries, pasts := pipe.HMGet(ctx, l.keys.suppressed(), asked...), pipe.HMGet(ctx, l.keys.past(), asked...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	if len(entries.Val()) != len(asked) || len(pasts.Val()) != len(asked) {
		return nil, errAnswers
	}
	var changes []change
	at := 0
	for _, i := range todo {
		known := false
		var first change
		for j, field := range fields[i] {
			entry, past := entries.Val()[at], pasts.Val()[at]
			at++
			c := change{number: i, field: field, before: newWords(entry, past)}
			differs := false
			c.after, differs = c.before.hear(numbers[i].Entry)
			if j == 0 && differs {
				first = c
			}
			if known = known || entry != nil || past != nil; differs && (entry != nil || past != nil) {
				changes = append(changes, c)
			}
		}
		if !known && first.field != "" {
			changes = append(changes, first)
		}
	}
	return changes, nil
}

// maxChanges is how many changes one call of the script makes: Lua unpacks at most
// 8,000 values.
const maxChanges = 2000

// run makes changes, and reports for each whether it was made. The reference goes with
// the last of several calls.
func (l *List) run(ctx context.Context, changes []change, reference string) (made []bool, err error) {
	for len(changes) > maxChanges {
		some, err := l.run(ctx, changes[:maxChanges], "")
		if err != nil {
			return nil, err
		}
		made, changes = append(made, some...), changes[maxChanges:]
	}
	args := make([]any, 0, 3+5*len(changes))
	args = append(args, reference, time.Now().Unix(), maxHeard)
	for i := range changes {
		c := &changes[i]
		args = append(args, c.field, c.before.entry, c.before.past, c.after.entry, c.after.past)
	}
	names := []string{l.keys.suppressed(), l.keys.past(), l.keys.heard()}
	answers, err := redisx.RunReplicated(ctx, l.rdb, changeScript, l.replicas, names, args...)
	if err == nil && len(answers) != len(changes) {
		err = errAnswers
	}
	for _, answer := range answers {
		made = append(made, answer == int64(1))
	}
	return made, err
}

// RequireReplicas has each change wait until so many replicas of Redis have it; 0 is
// none. With fewer it fails, though it stands. Call it before the first.
func (l *List) RequireReplicas(n int) { l.replicas = n }
