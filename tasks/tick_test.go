package tasks_test

import (
	"errors"
	"os"
	"testing"

	"github.com/handout-dev/handout/tasks"
)

func TestTick_IsTheGoldenBytesAndIsRead(t *testing.T) {
	t.Parallel()
	note, err := tasks.NewTick("nightly", "2026-11-23T02:00Z", 1)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/tick.v1.json", note.Payload(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile("testdata/tick.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(golden) != string(note.Payload()) {
		t.Errorf("the payload has changed: %s", note.Payload())
	}
	got, err := tasks.ParseTick(golden)
	if want := (tasks.Tick{Schedule: "nightly", Period: "2026-11-23T02:00Z"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", `{"v":1,"schedule":"A","period":"p"}`, `{"v":1,"schedule":"a"}`} {
		if _, err := tasks.ParseTick([]byte(bad)); !errors.Is(err, tasks.ErrUnreadable) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestTickID_SaysTheAttemptFromTheSecondOneOn(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int]string{1: "nightly:2026-11-23T02:00Z", 2: "nightly:2026-11-23T02:00Z#2"} {
		if got := tasks.TickID("nightly", "2026-11-23T02:00Z", attempt); got != want {
			t.Errorf("attempt %d: %s", attempt, got)
		}
	}
}
