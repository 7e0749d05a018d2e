package pacing

import (
	"testing"
	"time"
)

func TestLag_AStragglerCostsALaterSlot(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for name, c := range map[string]struct {
		left  [][2]int // slots and when their requests left
		slots []int
		pay   int
	}{
		"in time":               {[][2]int{{0, 1}, {100, 103}, {200, 201}}, []int{300, 400}, 0},
		"far from Redis":        {[][2]int{{0, 40}, {100, 141}, {200, 239}}, []int{300, 400}, 0},
		"one straggler":         {[][2]int{{0, 1}, {100, 150}, {200, 201}}, []int{300, 400}, 1},
		"a stall":               {[][2]int{{0, 1}, {100, 400}, {200, 400}, {300, 400}}, []int{500, 600, 700, 800}, 3},
		"too long ago":          {[][2]int{{0, 1}, {100, 150}}, []int{1100, 1200}, 0},
		"the last that may be":  {[][2]int{{0, 1}, {100, 150}}, []int{1099, 1200}, 1},
		"as late as is allowed": {[][2]int{{0, 1}, {100, 112}}, []int{300}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l lag
			for _, s := range c.left {
				l.left(at(s[0]), at(s[1]))
			}
			paid := 0
			for _, s := range c.slots {
				if l.pays(at(s)) {
					paid++
				}
			}
			if paid != c.pay {
				t.Errorf("%d slots made room, want %d", paid, c.pay)
			}
		})
	}
}

// A machine that gets slower for good, or moves away from Redis, isn't late for
// ever.
func TestLag_WhatLastsBecomesUsual(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var l lag
	l.left(start, start.Add(time.Millisecond))
	for i := range 500 {
		at := start.Add(time.Duration(i) * 100 * time.Millisecond)
		l.left(at, at.Add(60*time.Millisecond))
	}
	l.owed = nil
	last := start.Add(time.Minute)
	l.left(last, last.Add(60*time.Millisecond))
	if len(l.owed) > 0 {
		t.Errorf("the usual lag is %v", l.usual)
	}
}
