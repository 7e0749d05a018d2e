package operations_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// One that is gone from the file of accounts doesn't hide what was done through it.
func TestSubmit_OfAnUnknownAccountIsAFaultWithItsPlace(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	known := operations.New(rdb, operations.Options{Accounts: map[string]operations.Account{"us": {Rate: 40}}})
	strange := operations.New(rdb, operations.Options{})
	of := func(id string) *operations.Submission {
		file, err := operations.ParseCampaign("c.yaml", []byte("id: "+id+`
message_type: MKT
account: us
channels: [{channel: sms, template: text, parameters: {text: "Hello"}}]
`))
		if err != nil {
			t.Fatal(err)
		}
		return &operations.Submission{File: file, List: producer.ListReader("list.csv", producer.CSV, strings.NewReader("recipient,phone\na,+12015550100\n"))}
	}
	_, submitted := strange.Submit(t.Context(), of("spring"))
	_, dry := strange.DryRun(t.Context(), of("spring"))
	for _, err := range []error{submitted, dry} {
		var faults *producer.Faults
		if operations.KindOf(err) != operations.Refused || !errors.As(err, &faults) || faults.List[0].String() != "c.yaml:3:10: account: there is no account us here: is it in the file that HANDOUT_ACCOUNTS names?" {
			t.Errorf("%v: %+v", err, faults)
		}
	}
	if d, err := known.DryRun(t.Context(), of("spring")); err != nil || d.Rate != 40 {
		t.Errorf("a dry run through it: %+v, %v", d, err)
	}
	if _, err := known.Submit(t.Context(), of("spring")); err != nil {
		t.Fatal(err)
	}
	if again, err := strange.Submit(t.Context(), of("spring")); err != nil || !again.Already {
		t.Errorf("again, where it isn't known: %v", err)
	}
}
