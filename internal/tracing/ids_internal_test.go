package tracing

import (
	"math"
	"testing"

	"github.com/handout-dev/handout/campaign"
)

func TestSpans_OfARecipientAreTheSameInEveryProcessAndTheirOwn(t *testing.T) {
	a := campaign.Attempt{Campaign: "spring", Salt: "k3v7q2m5", Place: campaign.Place{Page: 4, Index: 17}, Number: 1}
	// Processes of two versions run beside each other: these mustn't change.
	if got := ofAttempt(a).String(); got != "00-1446ba2b3e24e76602e0351e64e23dd3-9e30752bd598506d-00" {
		t.Errorf("the span of an attempt is %s", got)
	}
	second, other, life, place := a, a, a, a
	second.Number, other.Campaign, life.Salt, place.Place.Index = 2, "summer", "aaaaaaaa", 18
	if s := ofAttempt(second); s.trace != ofAttempt(a).trace || s.id == ofAttempt(a).id {
		t.Errorf("a second attempt is %v", s)
	}
	for _, b := range []campaign.Attempt{other, life, place} {
		if ofAttempt(b).trace == ofAttempt(a).trace {
			t.Errorf("%v has the same trace", b)
		}
	}
}

func TestWithin_IsTheShareOfAll(t *testing.T) {
	for _, share := range []float64{0, 0.1, 0.5, 1} {
		const n = 10_000
		in := 0
		for i := range n {
			if ofAttempt(campaign.Attempt{Campaign: "spring", Salt: "k3v7q2m5", Place: campaign.PlaceOf(i)}).within(share) {
				in++
			}
		}
		if got := float64(in) / n; math.Abs(got-share) > 0.02 { // four standard deviations
			t.Errorf("%v of all, want %v", got, share)
		}
	}
}

func TestParseSpan_TakesWhatTheStandardDoes(t *testing.T) {
	const trace, id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for text, want := range map[string]string{
		"00-" + trace + "-" + id + "-01":                    "00-" + trace + "-" + id + "-01",
		"00-" + trace + "-" + id + "-00":                    "00-" + trace + "-" + id + "-00",
		"cc-" + trace + "-" + id + "-03-later":              "00-" + trace + "-" + id + "-01",
		"00-" + trace + "-" + id + "-01-later":              "",
		"cc-" + trace + "-" + id + "-01later":               "",
		"ff-" + trace + "-" + id + "-01":                    "",
		"00-" + trace + "-" + id:                            "",
		"00-" + trace + "-0000000000000000-01":              "",
		"00-00000000000000000000000000000000-" + id + "-01": "",
		"00-0AF7651916CD43DD8448EB211C80319C-" + id + "-01": "",
		"00-xaf7651916cd43dd8448eb211c80319c-" + id + "-01": "",
		"": "",
	} {
		switch s := parseSpan(text); {
		case want == "" && !s.zero():
			t.Errorf("%q is read as %s", text, s)
		case want != "" && s.String() != want:
			t.Errorf("%q is read as %s, want %s", text, s, want)
		}
	}
}

func TestSettings_AreThoseOfTheStandardVariables(t *testing.T) {
	with := func(pairs ...string) (*settings, error) {
		all := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318/"}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return readSettings(func(name string) string { return all[name] })
	}
	for _, c := range []struct {
		pairs []string
		is    func(s *settings) bool
	}{
		{nil, func(s *settings) bool {
			return s.endpoint == "http://127.0.0.1:4318/v1/traces" && s.share == 1 && s.resource["service.name"] != ""
		}},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c.example/x"}, func(s *settings) bool { return s.endpoint == "https://c.example/x" }},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}, func(s *settings) bool { return s.endpoint == "" }},
		{[]string{"OTEL_SDK_DISABLED", "true"}, func(s *settings) bool { return s.endpoint == "" }},
		{[]string{"OTEL_TRACES_EXPORTER", "none"}, func(s *settings) bool { return s.endpoint == "" }},
		{[]string{"OTEL_TRACES_SAMPLER", "always_off"}, func(s *settings) bool { return s.endpoint == "" }},
		{[]string{"OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.25"}, func(s *settings) bool { return s.share == 0.25 }},
		{[]string{"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"}, func(s *settings) bool { return s.timeout.Seconds() == 2.5 }},
		{[]string{"OTEL_EXPORTER_OTLP_HEADERS", "a=b, c=d%3D"}, func(s *settings) bool { return s.headers.Get("A") == "b" && s.headers.Get("C") == "d=" }},
		{[]string{"OTEL_EXPORTER_OTLP_HEADERS", "a=b", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=c"}, func(s *settings) bool { return s.headers.Get("A") == "c" }},
		{[]string{"OTEL_RESOURCE_ATTRIBUTES", "service.name=x,k8s.pod.name=y"}, func(s *settings) bool {
			return s.resource["service.name"] == "x" && s.resource["k8s.pod.name"] == "y"
		}},
	} {
		if s, err := with(c.pairs...); err != nil || !c.is(s) {
			t.Errorf("%v: %+v, %v", c.pairs, s, err)
		}
	}
	for _, pairs := range [][]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, {"OTEL_TRACES_EXPORTER", "zipkin"},
		{"OTEL_TRACES_SAMPLER", "jaeger_remote"}, {"OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "NaN"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"}, {"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"}, {"OTEL_EXPORTER_OTLP_HEADERS", "hush"},
	} {
		if s, err := with(pairs...); err == nil {
			t.Errorf("%v: %+v", pairs, s)
		} else if pairs[1] == "hush" && err.Error() != "OTEL_EXPORTER_OTLP_HEADERS: not of the form name=value,name=value" {
			t.Error(err)
		}
	}
}
