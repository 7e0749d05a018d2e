package bench_test

import (
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/handout-dev/handout/internal/phone"
)

// BenchmarkNumbersJudged normalises the numbers of a list by the compiled form of
// the library's rules, and beside it by the library alone, as numbers per second
// of processor time. The library alone is what the compiled form turns to when it
// isn't sure.
func BenchmarkNumbersJudged(b *testing.B) {
	const (
		compiled   = 500_000
		alone      = 20_000
		leastTimes = 50
	)
	var phones []string
	for p := range people(compiled, acceptedDigits, false) {
		phones = append(phones, p.phone)
	}
	for b.Loop() {
		var r rounds
		r.run(5,
			func(int) float64 {
				book, err := phone.NewBook("") // anew: what compiling takes counts
				if err != nil {
					b.Fatal(err)
				}
				return judged(b, phones, func(p string) (string, error) {
					e164, _, err := book.Normalize(p)
					return e164, err
				})
			},
			func(int) float64 { return judged(b, phones[:alone], judgedAlone) })
		r.report(b, "numbers", "numbers judged by the compiled rules, per core, beside the library alone", leastTimes)
	}
	noTime(b)
}

func judgedAlone(p string) (string, error) {
	number, err := phonenumbers.Parse(p, "")
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return "", err
	}
	return phonenumbers.Format(number, phonenumbers.E164), nil
}

// judged returns how many numbers, all of them valid and in E.164 form, are
// normalised per second of this process's processor time.
func judged(b *testing.B, phones []string, normalize func(string) (string, error)) float64 {
	b.Helper()
	start := selfTime(b)
	for _, p := range phones {
		if e164, err := normalize(p); err != nil || e164 != p {
			b.Fatalf("a valid number is refused or changed: %v", err)
		}
	}
	return float64(len(phones)) / max(selfTime(b)-start, time.Microsecond).Seconds()
}
