package suppression

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/batch"
)

// List is the suppression list in one Redis: 67 bytes of Redis's memory for a number
// without any text, 91 for one with the name of a campaign, as in
// order-history-2026-11 (measured at 100,000, see TestSuppress_TakesLittleMemory).
// It is safe for concurrent use; the look-ups of concurrent callers travel together.
type List struct {
	rdb       redis.UniversalClient
	questions *batch.Batcher[*question] // of Find
}

// New returns the list in rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient) *List {
	l := &List{rdb: rdb}
	l.questions = batch.New(maxQuestions, askTimeout, l.ask)
	return l
}

// Number is a phone number with its entry.
type Number struct {
	Phone string // in E.164 form
	Entry
}

// IsPhone reports whether a text is a phone number in E.164 form.
func IsPhone(s string) bool {
	_, err := campaign.PhoneNumber(s)
	return err == nil
}

// fieldOf returns a number as it stands in the hash: its digits.
func fieldOf(phone string) (string, error) {
	n, err := campaign.PhoneNumber(phone)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(n, 10), nil
}

// Add puts a number on the list, and reports whether it is new there: the first
// entry stays. Calling it twice does no harm.
func (l *List) Add(ctx context.Context, phone string, s Entry) (bool, error) {
	n, err := l.AddAll(ctx, []Number{{phone, s}})
	return n == 1, err
}

// AddAll puts numbers on the list in one round trip, best a thousand at a time, and
// returns how many of them are new there. After an error some of them may be on the
// list; calling it again does no harm.
func (l *List) AddAll(ctx context.Context, numbers []Number) (added int, err error) {
	pipe := l.rdb.Pipeline()
	set := make([]*redis.BoolCmd, len(numbers))
	for i := range numbers {
		field, err := fieldOf(numbers[i].Phone)
		if err == nil {
			err = numbers[i].Check()
		}
		if err != nil {
			return 0, fmt.Errorf("suppress a number: %w", err)
		}
		set[i] = pipe.HSetNX(ctx, keySuppressed, field, numbers[i].encode())
	}
	if len(set) > 0 {
		_, err = pipe.Exec(ctx)
	}
	for _, c := range set {
		if c.Val() {
			added++
		}
	}
	if err != nil {
		return added, discreet("put numbers on the suppression list", err)
	}
	return added, nil
}

// Remove takes a number off the list, and reports whether it was there.
func (l *List) Remove(ctx context.Context, phone string) (bool, error) {
	field, err := fieldOf(phone)
	if err != nil {
		return false, fmt.Errorf("take a number off the suppression list: %w", err)
	}
	n, err := l.rdb.HDel(ctx, keySuppressed, field).Result()
	if err != nil {
		return false, discreet("take a number off the suppression list", err)
	}
	return n > 0, nil
}

// Each calls f with every number of the list, in no order and in constant memory. It
// visits all that are on the list from the beginning to the end, and may visit one
// twice while the list grows. It ends with the first error of f.
func (l *List) Each(ctx context.Context, f func(Number) error) error {
	const atOnce = 1000
	for cursor := uint64(0); ; {
		numbers, next, err := l.Page(ctx, cursor, atOnce)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if err := f(n); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// Page is one step of [List.Each]: it returns about so many numbers, at times none or
// some more, and the cursor of the next step. The first cursor is 0, and so is the
// one after the last step.
func (l *List) Page(ctx context.Context, cursor uint64, about int) ([]Number, uint64, error) {
	fields, next, err := l.rdb.HScan(ctx, keySuppressed, cursor, "", int64(about)).Result()
	if err != nil {
		return nil, 0, discreet("read the suppression list", err)
	}
	numbers := make([]Number, 0, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		s, err := decodeEntry(fields[i+1])
		if err != nil {
			return nil, 0, fmt.Errorf("read the suppression list: %w", err)
		}
		numbers = append(numbers, Number{"+" + fields[i], s})
	}
	return numbers, next, nil
}

// Count returns how many numbers are on the list.
func (l *List) Count(ctx context.Context) (int, error) {
	n, err := l.rdb.HLen(ctx, keySuppressed).Result()
	if err != nil {
		return 0, discreet("count the suppression list", err)
	}
	return int(n), nil
}

// Find reports whether a number is on the list, and returns its entry. Concurrent
// callers share one command. It fails closed: with an error, the number must not be
// sent to. With [ErrBadEntry] the number is on the list, and its entry can't be read.
func (l *List) Find(ctx context.Context, phone string) (Entry, bool, error) {
	field, err := fieldOf(phone)
	if err != nil {
		return Entry{}, false, fmt.Errorf("look into the suppression list: %w", err)
	}
	q := &question{field: field}
	if err := l.questions.Do(ctx, q, 0); err != nil {
		return Entry{}, false, fmt.Errorf("look into the suppression list: %w", err)
	}
	if q.err != nil {
		return Entry{}, false, discreet("look into the suppression list", q.err)
	}
	if q.answer == nil {
		return Entry{}, false, nil
	}
	raw, _ := q.answer.(string)
	s, err := decodeEntry(raw)
	if err != nil { // on the list all the same
		return Entry{Why: whyUnknown}, true, fmt.Errorf("look into the suppression list: %w", err)
	}
	return s, true, nil
}

// Contains reports for each of some numbers whether it is on the list, with one
// command. With an error, none of them may be sent to.
func (l *List) Contains(ctx context.Context, phones []string) ([]bool, error) {
	fields := make([]string, len(phones))
	for i, phone := range phones {
		var err error
		if fields[i], err = fieldOf(phone); err != nil {
			return nil, fmt.Errorf("look into the suppression list: %w", err)
		}
	}
	answers, err := entries(ctx, l.rdb, fields)
	if err != nil {
		return nil, discreet("look into the suppression list", err)
	}
	listed := make([]bool, len(phones))
	for i := range answers {
		listed[i] = answers[i] != nil
	}
	return listed, nil
}

// entries reads the stored entries of some numbers; nil for one that isn't listed.
func entries(ctx context.Context, rdb redis.UniversalClient, fields []string) ([]any, error) {
	answers, err := rdb.HMGet(ctx, keySuppressed, fields...).Result()
	if err == nil && len(answers) != len(fields) {
		err = errors.New("wrong number of answers")
	}
	return answers, err
}

const (
	// askTimeout bounds one command: its callers' contexts don't.
	askTimeout = 10 * time.Second
	// maxQuestions is how many numbers one command asks for.
	maxQuestions = 500
)

// question is the look-up of one number, and its answer.
type question struct {
	field  string
	answer any // the stored entry; nil if it isn't listed
	err    error
}

// ask answers questions with one command.
func (l *List) ask(ctx context.Context, batch []*question) {
	fields := make([]string, len(batch))
	for i, q := range batch {
		fields[i] = q.field
	}
	answers, err := entries(ctx, l.rdb, fields)
	for i, q := range batch {
		if q.err = err; err == nil {
			q.answer = answers[i]
		}
	}
}

// discreet returns an error of Redis without the command's arguments, which are
// phone numbers: Redis quotes them when it doesn't know the command.
func discreet(what string, err error) error {
	if strings.Contains(err.Error(), "with args beginning with") {
		err = errors.New("a command that this needs isn't known to Redis")
	}
	return fmt.Errorf("%s: %w", what, err)
}
