package suppression_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/test/campaigntest"
)

// check checks the list, and returns how many steps it took.
func (b *bundle) check(t *testing.T) (faults []string, steps int) {
	t.Helper()
	faults, err := b.suppressions.Check(t.Context(), func(context.Context) error { steps++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return faults, steps
}

func TestCheck_FindsWhatNoWordHasMade(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	for i := range 3000 {
		for at, e := range []suppression.Entry{stop(), {Why: suppression.WhyStart}, {Why: suppression.WhyStop}, {Why: suppression.WhyStop}}[:1+i%4] {
			e.At = campaigntest.Noon.Add(time.Duration(at) * time.Minute)
			var err error
			if e.Why.Removes() {
				_, err = b.suppressions.Remove(ctx, number(i), e)
			} else {
				err = b.suppressions.Stop(ctx, []string{number(i)}, e, "")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := b.suppressions.Add(ctx, "ann@example.com", stop()); err != nil {
		t.Fatal(err)
	}
	if faults, steps := b.check(t); len(faults) > 0 || steps < 20 {
		t.Errorf("%v in %d steps", faults, steps)
	}

	field := func(i int) string { return strings.TrimPrefix(number(i), "+") }
	// Four words were said of the third, and its entry is lost. Of the others, who are
	// rightly off the list, or on it, nothing is to be said.
	if err := b.rdb.HDel(ctx, "handout:suppressed", field(3)).Err(); err != nil {
		t.Fatal(err)
	}
	if faults, _ := b.check(t); !slices.Equal(faults, []string{"1 number off the list, and no word took them off"}) {
		t.Error(faults)
	}
	if err := b.rdb.HSet(ctx, "handout:suppressed", field(4), "junk", "no number", "\x11\x01").Err(); err != nil {
		t.Fatal(err)
	}
	faults, _ := b.check(t)
	if !slices.Equal(faults, []string{"2 entries can't be read", "1 number off the list, and no word took them off"}) {
		t.Error(faults)
	}
	if strings.Contains(fmt.Sprint(faults), field(3)) {
		t.Error("a number is named")
	}
}

func TestCheck_EndsWhenItsTurnDoes(t *testing.T) {
	t.Parallel()
	over := errors.New("over")
	if _, err := setup(t).suppressions.Check(t.Context(), func(context.Context) error { return over }); !errors.Is(err, over) {
		t.Error(err)
	}
}
