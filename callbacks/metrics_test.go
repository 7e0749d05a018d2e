package callbacks_test

import (
	"fmt"
	"testing"
	"time"
)

func TestMetrics_CountCodesAndKnowWhenTheLastReceiptCame(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 3)
	scrape := func() (codes map[string]float64, last float64, there bool) {
		families, err := r.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		codes = map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				switch f.GetName() {
				case "handout_receipt_codes_total":
					codes[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
				case "handout_last_receipt_timestamp_seconds":
					last, there = m.GetGauge().GetValue(), true
				}
			}
		}
		return codes, last, there
	}
	if _, _, there := scrape(); there {
		t.Error("there is a time of the last receipt before the first one")
	}
	r.sent(c, 0, 0)
	r.result(receipt("c.0.0.1", 0, 3000, "sms 3000"))
	r.result(receipt("another's", 9, 3000))
	for i := range 20 { // a signer can't make labels without end
		r.result(receipt("another's", 9, 77_000+i))
	}
	codes, last, _ := scrape()
	if want := "map[3000:2 unknown:20]"; fmt.Sprint(codes) != want {
		t.Errorf("%v, want %v", codes, want)
	}
	if age := time.Since(time.Unix(int64(last), 0)); age < 0 || age > time.Minute {
		t.Errorf("the last receipt came %v ago", age)
	}
}
