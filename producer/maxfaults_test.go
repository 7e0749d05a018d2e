package producer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

func TestSubmit_ReportsAsManyBadRowsAsAreAskedFor(t *testing.T) {
	t.Parallel()
	file, err := producer.ParseCampaign("campaign.yaml", []byte(exampleCampaign))
	if err != nil {
		t.Fatal(err)
	}
	list := producer.ListReader("list.csv", producer.CSV, strings.NewReader("recipient,phone,url\n"+strings.Repeat("a,+1,https://files.example.com/a\n", 300)))
	_, err = producer.New(redistest.Start(t).Client()).Submit(t.Context(), file, list, producer.SubmitOptions{MaxFaults: 200})
	var faults *producer.Faults
	if !errors.As(err, &faults) || len(faults.List) != 200 || faults.Total != 300 || faults.List[199].Line != 201 {
		t.Errorf("%d of %d", len(faults.List), faults.Total)
	}
	list = producer.ListReader("list.csv", producer.CSV, strings.NewReader("recipient,phone,url\n"+strings.Repeat("a,+1,https://files.example.com/a\n", 300)))
	d, err := producer.Check(t.Context(), file, list, producer.CheckOptions{})
	if err != nil || len(d.Summary.Faults) != producer.MaxFaults || d.Summary.BadRows != 300 {
		t.Errorf("unasked: %d, %v", len(d.Summary.Faults), err)
	}
}
