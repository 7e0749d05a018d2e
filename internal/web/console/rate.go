package console

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// mostRate is the highest rate that may be set, in messages per second.
const mostRate = 100_000

func (c *Console) askRate(v *visit) (string, any, error) {
	s, err := c.standing(v)
	if err != nil {
		return "", nil, err
	}
	rates, err := c.ledger.Rates(v.Context())
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Set the rate", "rate")
	q.Title = "The rate of " + string(s.Info.ID)
	q.Text = []string{
		"In messages per second, for all workers within a second. It stays under the account's, " + perSecond(rates.Account(c.o.AccountRate)) + ".",
		"In its file: " + perSecond(s.Info.Spec.Rate) + ".",
	}
	if set := rates.SetFor(s.Info.ID); set != nil {
		text := "Now: " + perSecond(set.Rate) + ", set by " + set.By + " at " + when(set.At)
		if set.Why != "" {
			text += ": " + set.Why
		}
		q.Text, q.Reset = append(q.Text, text+"."), "Back to the file's"
	}
	value := ""
	if own := rates.Campaign(s.Info); own > 0 {
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
	id, err := v.id()
	if err != nil {
		return "", err
	}
	rate := 0.0
	if v.PostFormValue("reset") == "" {
		if rate, err = strconv.ParseFloat(v.PostFormValue("rate"), 64); err != nil || !(rate > 0 && rate <= mostRate) {
			return "", refuse(http.StatusUnprocessableEntity, "The rate is a number over 0 and at most %d, in messages per second.", mostRate)
		}
	}
	if err := c.ledger.SetRate(v.Context(), id, rate, v.actor(reasonOf(v)), time.Now()); err != nil {
		return "", err
	}
	v.flash("The rate is set.")
	return "/campaigns/" + string(id), nil
}
