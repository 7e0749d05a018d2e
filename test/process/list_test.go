package process_test

import (
	"encoding/json"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

func TestList_ShowsEveryCampaignTheNewestFirst(t *testing.T) {
	t.Parallel()
	e := bare().with("REDIS_URL", redistest.Start(t).URL())
	if out := done(t, e, "list"); out != "campaign  state  people  delivered  why\n" {
		t.Errorf("without campaigns: %q", out)
	}
	if out := done(t, e, "list", "--json"); out != "[]\n" {
		t.Errorf("without campaigns: %q", out)
	}
	people := listFile(t, numbers(12, plainly))
	done(t, e, "submit", campaignFile(t, "spring"), people)
	done(t, e, "submit", campaignFile(t, "a-long-summer"), people, "--hold")
	done(t, e, "pause", "spring", "--by", "ann", "--why", "wrong\x1b[2J file")
	want := "" +
		"campaign       state   people  delivered  why\n" +
		"a-long-summer  paused      12          0  paused from the start\n" +
		"spring         paused      12          0  paused by ann: wrong [2J file\n"
	if out := done(t, e, "list"); out != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
	done(t, e, "resume", "spring")
	var list []struct {
		Campaign, State, Reason string
		Total, Delivered        int
		CreatedAt               string `json:"created_at"`
	}
	if err := json.Unmarshal([]byte(done(t, e, "list", "--json", "--state", "running,held")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Campaign != "spring" || list[0].State != "running" || list[0].Total != 12 || list[0].CreatedAt == "" {
		t.Errorf("%+v", list)
	}
	checkAll(t, e, []refusal{
		{name: "no such state", args: []string{"list", "--state", "running,asleep"}, code: 2,
			stderr: `list: --state: there is no state "asleep": there are draft, running, paused, held, canceled, settling, done`},
		{name: "an ID", args: []string{"list", "spring"}, code: 2, stderr: `list: "spring" is one argument too many; .*`},
	})
}
