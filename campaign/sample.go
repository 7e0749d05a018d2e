package campaign

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sample is the balance of a campaign at a moment.
type Sample struct {
	At      time.Time // to 5 seconds
	Balance Balance
}

// ParseSample reads the stored form: the Unix second, a colon, and the counts with
// commas between them, with nothing for 0 and for those at the end.
func ParseSample(stored string) (Sample, error) {
	second, counts, ok := strings.Cut(stored, ":")
	at, err := strconv.ParseInt(second, 10, 64)
	texts := strings.Split(counts, ",")
	if !ok || err != nil || len(texts) > CounterCount {
		return Sample{}, fmt.Errorf("%q isn't a sample", stored)
	}
	values := make([]any, len(texts))
	for i, text := range texts {
		if text != "" {
			values[i] = text
		}
	}
	b, err := ParseBalance(values)
	if err != nil {
		return Sample{}, err
	}
	return Sample{At: time.Unix(at, 0).UTC(), Balance: *b}, nil
}
