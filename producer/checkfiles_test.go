package producer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

func TestParseCampaign_CheckFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]campaign.FileCheck{"": "", "check_files: none": "", "check_files: sample": campaign.CheckSample, "check_files: all": campaign.CheckAll} {
		if got := parse(t, fileThenText+text+"\n").Spec.CheckFiles; got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
	_, err := producer.ParseCampaign("c.yaml", []byte(fileThenText+"check_files: some\n"))
	if err == nil || !strings.Contains(err.Error(), "c.yaml:13:14: check_files: must be none, sample or all") {
		t.Error(err)
	}
}

func TestSubmit_AGateRefusesBeforeTheCampaignStands(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := producer.New(server.Client())
	no := errors.New("too few")
	sizes := []int{}
	gate := func(err error) producer.SubmitOptions {
		return producer.SubmitOptions{Gate: func(s producer.Summary) error { sizes = append(sizes, s.Recipients); return err }}
	}
	people := list("recipient,phone,url\na,+12015550101,https://a.b/c\nb,+12015550102,https://a.b/d\n")
	_, err := client.Submit(t.Context(), parse(t, fileThenText), people, gate(no))
	var refused *producer.GateError
	if !errors.As(err, &refused) || !errors.Is(err, no) || err.Error() != "too few" {
		t.Errorf("%v", err)
	}
	if keys := server.Client().Keys(t.Context(), "handout:{order-history}:*").Val(); len(keys) != 0 {
		t.Errorf("left behind: %q", keys)
	}
	for _, already := range []bool{false, true} {
		if r, err := client.Submit(t.Context(), parse(t, fileThenText), people, gate(nil)); err != nil || r.Already != already {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if len(sizes) != 2 || sizes[0] != 2 || sizes[1] != 2 {
		t.Errorf("asked with %v", sizes)
	}
}
