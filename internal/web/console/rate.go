package console

import (
	"math"
	"strconv"

	"github.com/handout-dev/handout/internal/operations"
)

func (c *Console) askRate(v *visit) (string, any, error) {
	s, err := c.standing(v)
	if err != nil {
		return "", nil, err
	}
	r, err := c.reports.Rate(v.Context(), s.Info.ID)
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Set the rate", "rate")
	q.Title = "The rate of " + string(s.Info.ID)
	q.Text = []string{
		"In messages per second, for all workers within a second. It stays under the account's, " + perSecond(r.Account) + ".",
		"In its file: " + perSecond(s.Info.Spec.Rate) + ".",
	}
	own := s.Info.Spec.Rate
	if set := r.Set; set != nil {
		text := "Now: " + perSecond(set.Rate) + ", set by " + set.By + " at " + when(set.At)
		if set.Why != "" {
			text += ": " + set.Why
		}
		q.Text, q.Reset, own = append(q.Text, text+"."), "Back to the file's", set.Rate
	}
	value := ""
	if own > 0 {
		value = strconv.FormatFloat(own, 'f', -1, 64)
	}
	q.Fields = []field{{Name: "rate", Label: "Messages per second", Type: "number", Value: value}, why}
	return "ask", q, nil
}

func perSecond(rate float64) string {
	if rate == 0 {
		return "no rate of its own"
	}
	return strconv.FormatFloat(math.Round(rate*1000)/1000, 'f', -1, 64)
}

func (c *Console) setRate(v *visit) (string, error) {
	do := func(s *operations.Standing) error { return c.ops.ResetRate(v.Context(), s, v.actor(reasonOf(v))) }
	if v.PostFormValue("reset") == "" {
		rate, err := operations.ParseRate(v.PostFormValue("rate"))
		if err != nil {
			return "", err
		}
		do = func(s *operations.Standing) error { return c.ops.SetRate(v.Context(), s, rate, v.actor(reasonOf(v))) }
	}
	s, err := c.standing(v)
	if err == nil {
		err = do(s)
	}
	if err != nil {
		return "", err
	}
	v.flash("The rate is set.")
	return "/campaigns/" + string(s.Info.ID), nil
}
