package operations

import (
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
)

// About says what a person is asked before the campaign is resumed or canceled, a
// sentence or two each.
func (s *Standing) About(v Verb) []string {
	left := "1 person is still to be sent to"
	if s.Left() != 1 {
		left = campaign.Count(s.Left(), "person") + " are still to be sent to"
	}
	starts := s.Info.StartAt
	switch {
	case v == VerbCancel:
		return []string{
			"It ends for good. Those who haven't been sent to never are: " + campaign.Number(s.Left()) + " of " + campaign.Count(s.Balance.Total(), "person") + " at this moment.",
			"What is under way is still settled.",
		}
	case v == VerbResume && s.Info.Phase == campaign.Held:
		held := "handout has held the campaign: " + s.Info.Reason + "."
		if advice := translate.Advice(s.Info); advice != "" {
			held += " " + advice
		}
		goes := "it goes on where it stopped"
		if !starts.IsZero() {
			goes = "it goes on at " + clock(starts)
		}
		return []string{held, "Resume it when the cause is gone; " + goes + ": " + left + "."}
	case v == VerbResume && !starts.IsZero():
		return []string{"It starts by itself at " + clock(starts) + ".", "Resumed, it goes on at once: " + left + "."}
	case v == VerbResume:
		return []string{fmt.Sprintf("The campaign is %s.", s.Info.Phase), "It goes on at once: " + left + "."}
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }
