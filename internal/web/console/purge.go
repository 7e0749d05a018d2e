package console

import (
	"strconv"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

func (c *Console) askPurge(v *visit) (string, any, error) {
	s, err := c.standing(v)
	if err == nil {
		err = s.Purgeable()
	}
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Purge", operations.VerbPurge)
	q.Text = []string{"This deletes for good who is in the campaign, " + count(s.Balance.Total()) + " people: phone numbers, names, columns, and what became of each. The counts and the history stay, and the ID stays taken."}
	q.Danger = true
	if v.URL.Query().Get("sure") == "" {
		q.Text = append(q.Text, "It can't be undone. Export the campaign first if its people may ask later.")
		q.Next, q.Hidden, q.Do = true, map[string]string{"sure": "1"}, "Go on to the last question"
		return "ask", q, nil
	}
	q.Title = "Purge " + string(s.Info.ID) + " for good?"
	q.Hidden = map[string]string{"in_doubt": strconv.Itoa(s.Balance.Of(campaign.InDoubt))}
	q.Fields = []field{{Name: "name", Label: "The campaign's ID, to be sure", Help: "Type " + string(s.Info.ID) + ".", Type: "text", Required: true}, why}
	q.Do = "Purge it"
	return "ask", q, nil
}

func (c *Console) purge(v *visit) (string, error) {
	s, err := c.standing(v)
	if err == nil {
		err = s.Confirm(v.PostFormValue("name"))
	}
	if err == nil {
		err = s.SeenInDoubt(v.PostFormValue("in_doubt"))
	}
	if err != nil {
		return "", err
	}
	ctx, done := c.long(v)
	defer done()
	if err := c.ops.Purge(ctx, s, v.actor(reasonOf(v)), nil); err != nil {
		return "", err
	}
	v.flash("The campaign is purged: the data of its people is gone.")
	return "/campaigns/" + string(s.Info.ID), nil
}
