package console

import (
	"net/http"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
)

func (c *Console) askPurge(v *visit) (string, any, error) {
	s, err := c.standing(v)
	if err != nil {
		return "", nil, err
	}
	if s.Info.Phase != campaign.Done {
		return "", nil, refuse(http.StatusConflict, "The campaign is %s: it can be purged when it is done.", s.Info.Phase)
	}
	if until := s.Info.KeysUntil(); until.After(time.Now()) {
		return "", nil, refuse(http.StatusConflict, "The campaign keeps one-off sends from being made twice; it can be purged from %s on.", when(until))
	}
	doubt := s.Balance.Of(campaign.InDoubt)
	q := c.question(s, "Purge", "purge")
	q.Text = []string{"This deletes for good who is in the campaign, " + count(s.Balance.Total()) + " people: phone numbers, names, columns, and what became of each. The counts and the history stay, and the ID stays taken."}
	if doubt > 0 {
		q.Risk = count(doubt) + " of them are in doubt, and nobody will ever know."
	}
	q.Danger = true
	if v.URL.Query().Get("sure") == "" {
		q.Text = append(q.Text, "It can't be undone. Export the campaign first, if anybody will ask.")
		q.Next, q.Hidden, q.Do = true, map[string]string{"sure": "1"}, "Go on to the last question"
		return "ask", q, nil
	}
	q.Title = "Purge " + string(s.Info.ID) + " for good?"
	q.Hidden = map[string]string{"in_doubt": strconv.Itoa(doubt)}
	q.Fields = []field{{Name: "name", Label: "The campaign's ID, to be sure", Help: "Type " + string(s.Info.ID) + ".", Type: "text", Required: true}, why}
	q.Do = "Purge it"
	return "ask", q, nil
}

func (c *Console) purge(v *visit) (string, error) {
	s, err := c.look(v)
	if err != nil {
		return "", err
	}
	if v.PostFormValue("name") != string(s.info.ID) {
		return "", refuse(http.StatusUnprocessableEntity, "That isn't the campaign's ID. Nothing was done.")
	}
	if v.PostFormValue("in_doubt") != strconv.Itoa(s.balance.Of(campaign.InDoubt)) {
		return "", refuse(http.StatusConflict, "The campaign has changed since you were asked. Nothing was done: look again.")
	}
	ctx, done := c.long(v)
	defer done()
	if err := c.ledger.Purge(ctx, s.info, v.actor(reasonOf(v)), time.Now(), nil); err != nil {
		return "", err
	}
	v.flash("The campaign is purged: the data of its people is gone.")
	return "/campaigns/" + string(s.info.ID), nil
}
