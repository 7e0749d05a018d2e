package suppression

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/batch"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/redisx"
)

// List is the suppression list in one Redis: 67 bytes of Redis's memory for a number
// without any text, 91 for one with the name of a campaign, as in
// order-history-2026-11 (measured at 100,000, see TestSuppress_TakesLittleMemory).
// It is safe for concurrent use; the look-ups of concurrent callers travel together.
type List struct {
	rdb       redis.UniversalClient
	keys      keys
	questions *batch.Batcher[*question] // of Find
	replicas  int                       // see RequireReplicas
}

// New returns the list in rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient) *List {
	l := &List{rdb: rdb, keys: keys(redisx.Prefix(rdb))}
	l.questions = batch.New(maxQuestions, askTimeout, l.ask)
	return l
}

// Number is a phone number, or an e-mail address, with its entry.
type Number struct {
	Phone string // in E.164 form, or as [phone.FoldEmail] has it
	Entry
}

// IsPhone reports whether a text is a phone number in E.164 form.
func IsPhone(s string) bool {
	_, err := campaign.PhoneNumber(s)
	return err == nil
}

// isAddress reports whether a text is what may stand on the list.
func isAddress(s string) bool { return phone.IsEmail(s) || IsPhone(s) }

// fieldsOf returns the fields under which a number may stand in the hashes: its
// digits, and those of its other forms. It is stored under the first. An e-mail address
// stands there as it is, in lower case.
func fieldsOf(e164 string) ([]string, error) {
	if phone.IsEmail(e164) {
		return []string{phone.FoldEmail(e164)}, nil
	}
	if _, err := campaign.PhoneNumber(e164); err != nil {
		return nil, err
	}
	fields := phone.Variants(e164)
	for i := range fields {
		fields[i] = fields[i][1:] // without the plus sign
	}
	return fields, nil
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
	fields, next, err := l.rdb.HScan(ctx, l.keys.suppressed(), cursor, "", int64(about)).Result()
	if err != nil {
		return nil, 0, explain("read the suppression list", err)
	}
	numbers := make([]Number, 0, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		s, err := decodeListed(fields[i+1])
		if err != nil {
			return nil, 0, fmt.Errorf("read the suppression list: %w", err)
		}
		address := fields[i]
		if !phone.IsEmail(address) {
			address = "+" + address
		}
		numbers = append(numbers, Number{address, s})
	}
	return numbers, next, nil
}

// Count returns how many numbers are on the list.
func (l *List) Count(ctx context.Context) (int, error) {
	n, err := l.rdb.HLen(ctx, l.keys.suppressed()).Result()
	if err != nil {
		return 0, explain("count the suppression list", err)
	}
	return int(n), nil
}

// Find reports whether a number is on the list, in any of its forms, and returns its
// entry. Concurrent callers share one command. It fails closed: with an error, the
// number must not be sent to. With [ErrBadEntry] the number is on the list, and its
// entry can't be read.
func (l *List) Find(ctx context.Context, phone string) (Entry, bool, error) {
	fields, err := fieldsOf(phone)
	if err != nil {
		return Entry{}, false, fmt.Errorf("look into the suppression list: %w", err)
	}
	q := &question{fields: fields}
	if err := l.questions.Do(ctx, q, 0); err != nil {
		return Entry{}, false, fmt.Errorf("look into the suppression list: %w", err)
	}
	if q.err != nil {
		return Entry{}, false, explain("look into the suppression list", q.err)
	}
	for _, answer := range q.answers {
		if answer == nil {
			continue
		}
		raw, _ := answer.(string)
		s, err := decodeListed(raw)
		if err != nil { // on the list all the same
			return Entry{Why: whyUnknown}, true, fmt.Errorf("look into the suppression list: %w", err)
		}
		return s, true, nil
	}
	return Entry{}, false, nil
}

// Contains reports for each of some numbers whether it is on the list, in any of its
// forms, with one command. With an error, none of them may be sent to.
func (l *List) Contains(ctx context.Context, phones []string) ([]bool, error) {
	var fields []string
	var of []int // which number a field is of
	for i, phone := range phones {
		forms, err := fieldsOf(phone)
		if err != nil {
			return nil, fmt.Errorf("look into the suppression list: %w", err)
		}
		for _, form := range forms {
			fields, of = append(fields, form), append(of, i)
		}
	}
	answers, err := l.entries(ctx, fields)
	if err != nil {
		return nil, explain("look into the suppression list", err)
	}
	listed := make([]bool, len(phones))
	for i := range answers {
		listed[of[i]] = listed[of[i]] || answers[i] != nil
	}
	return listed, nil
}

// History returns all that was said of a number, the oldest first. The last is its
// entry if the number is on the list, and otherwise why it was taken off; at most
// [maxPast] entries before it are kept.
func (l *List) History(ctx context.Context, phone string) ([]Entry, error) {
	fields, err := fieldsOf(phone)
	if err != nil {
		return nil, fmt.Errorf("read a number's history: %w", err)
	}
	pipe := l.rdb.Pipeline()
	entries, pasts := pipe.HMGet(ctx, l.keys.suppressed(), fields...), pipe.HMGet(ctx, l.keys.past(), fields...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, explain("read a number's history", err)
	}
	var all []Entry
	for i := range fields {
		w := newWords(entries.Val()[i], pasts.Val()[i])
		all = append(all, decodePast(w.past)...)
		if entries.Val()[i] != nil && !w.broken {
			all = append(all, w.listed)
		}
	}
	return all, nil
}

var errAnswers = errors.New("wrong number of answers")

// entries reads the stored entries of some numbers; nil for one that isn't listed.
func (l *List) entries(ctx context.Context, fields []string) ([]any, error) {
	answers, err := l.rdb.HMGet(ctx, l.keys.suppressed(), fields...).Result()
	if err == nil && len(answers) != len(fields) {
		err = errAnswers
	}
	return answers, err
}

const (
	// askTimeout bounds one command: its callers' contexts don't.
	askTimeout = 10 * time.Second
	// maxQuestions is how many numbers one command asks for, each in all its forms.
	maxQuestions = 500
)

// question is the look-up of one number, and its answers.
type question struct {
	fields  []string // its forms
	answers []any    // their stored entries; nil for one that isn't listed
	err     error
}

// ask answers questions with one command.
func (l *List) ask(ctx context.Context, batch []*question) {
	var fields []string
	for _, q := range batch {
		fields = append(fields, q.fields...)
	}
	answers, err := l.entries(ctx, fields)
	for _, q := range batch {
		if q.err = err; err == nil {
			q.answers, answers = answers[:len(q.fields)], answers[len(q.fields):]
		}
	}
}

// explain says what an error was in the way of, without the command's arguments,
// which are phone numbers: Redis quotes them when it doesn't know the command.
func explain(what string, err error) error {
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "with args beginning with") {
		err = errors.New("a command that this needs isn't known to Redis")
	}
	return fmt.Errorf("%s: %w", what, err)
}
