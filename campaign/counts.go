package campaign

import (
	"fmt"
	"strconv"
)

// CounterCount is the number of counters. A counter is a letter in scripts and a
// name in the hash of counts: the states, then the channels that delivered, then
// the read.
const CounterCount = int(stateCount) + int(byCount) - 1 + 1

// CounterNames are the counters by their names in Redis.
var CounterNames = func() [CounterCount]string {
	var n [CounterCount]string
	copy(n[:], stateNames[:])
	for i, by := range byNames[1:] {
		n[int(stateCount)+i] = "by_" + by
	}
	n[CounterCount-1] = "read"
	return n
}()

// Counters returns the names of the counters that count a record, separated by spaces.
func (r *Record) Counters() string {
	names := CounterNames[r.State]
	if r.State == Delivered {
		names += " " + CounterNames[int(stateCount)+int(r.DeliveredBy())-1]
		if r.Read() {
			names += " " + CounterNames[CounterCount-1]
		}
	}
	return names
}

// Balance is how many recipients of a campaign are in each state. It closes:
// the states add up to the total.
type Balance struct {
	States [stateCount]int
	By     [byCount]int // the delivered, by the channels that delivered
	Read   int          // the delivered whose channel reported a read
}

// Of is the number of recipients in a state.
func (b *Balance) Of(s State) int { return b.States[s] }

// Total is the sum of all states.
func (b *Balance) Total() int {
	n := 0
	for _, c := range b.States {
		n += c
	}
	return n
}

// Add counts a record n times.
func (b *Balance) Add(r *Record, n int) {
	b.States[r.State] += n
	if r.State == Delivered {
		b.By[r.DeliveredBy()] += n
		if r.Read() {
			b.Read += n
		}
	}
}

// Moving returns the number of recipients that the machine still works on, without
// those in doubt.
func (b *Balance) Moving() int {
	return b.Of(Planned) + b.Of(Claimed) + b.Of(Retrying) + b.Of(Accepted)
}

// Counter returns the value of CounterNames[i].
func (b *Balance) Counter(i int) int { return *b.counter(i) }

func (b *Balance) counter(i int) *int {
	switch {
	case i < int(stateCount):
		return &b.States[i]
	case i < CounterCount-1:
		return &b.By[i-int(stateCount)+1]
	}
	return &b.Read
}

// ParseBalance reads the values of the counts in the order of [CounterNames].
func ParseBalance(values []any) (*Balance, error) {
	b := new(Balance)
	for i, v := range values {
		s, ok := v.(string)
		if !ok {
			continue // never counted: 0
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, fmt.Errorf("count %s: not a number", CounterNames[i])
		}
		*b.counter(i) = n
	}
	return b, nil
}
