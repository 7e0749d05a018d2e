package tracing

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// settings are what OpenTelemetry's standard variables say.
// Source: opentelemetry.io/docs/specs/otel, "Environment Variable Specification" and
// "OpenTelemetry Protocol Exporter".
type settings struct {
	endpoint string // of traces; empty: tracing is off
	headers  http.Header
	timeout  time.Duration
	gzip     bool
	share    float64 // of all recipients
	resource map[string]string
}

// readSettings reads the variables. None of its errors shows a value that may be secret.
func readSettings(getenv func(string) string) (*settings, error) {
	s := &settings{headers: make(http.Header), timeout: 10 * time.Second, share: 1}
	of := func(name string) string { // the variable for traces alone comes first
		if v := getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
			return v
		}
		return getenv("OTEL_EXPORTER_OTLP_" + name)
	}
	switch s.endpoint = getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); {
	case s.endpoint == "" && getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "":
		s.endpoint = strings.TrimSuffix(getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), "/") + "/v1/traces"
	case s.endpoint == "":
		return s, nil
	}
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		s.endpoint = ""
		return s, nil
	}
	switch getenv("OTEL_TRACES_EXPORTER") {
	case "", "otlp":
	case "none":
		s.endpoint = ""
		return s, nil
	default:
		return nil, errors.New("OTEL_TRACES_EXPORTER: only otlp and none are known")
	}
	if u, err := url.Parse(s.endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT: not the http or https URL of a collector, as in http://127.0.0.1:4318")
	}
	if p := of("PROTOCOL"); p != "" && p != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: %q isn't spoken, only http/protobuf, which collectors take at port 4318", p)
	}
	if t := of("TIMEOUT"); t != "" {
		ms, err := strconv.Atoi(t)
		if err != nil || ms < 1 {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT: %q isn't a number of milliseconds", t)
		}
		s.timeout = time.Duration(ms) * time.Millisecond
	}
	switch c := of("COMPRESSION"); c {
	case "", "none":
	case "gzip":
		s.gzip = true
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_COMPRESSION: %q isn't gzip or none", c)
	}
	headers, err := pairs(of("HEADERS"))
	if err != nil {
		return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: not of the form name=value,name=value")
	}
	for name, value := range headers {
		s.headers.Set(name, value)
	}
	if s.resource, err = pairs(getenv("OTEL_RESOURCE_ATTRIBUTES")); err != nil {
		return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES: not of the form name=value,name=value")
	}
	if name := getenv("OTEL_SERVICE_NAME"); name != "" {
		s.resource["service.name"] = name
	} else if s.resource["service.name"] == "" {
		s.resource["service.name"] = filepath.Base(os.Args[0])
	}
	return s, s.readSampler(getenv)
}

func (s *settings) readSampler(getenv func(string) string) error {
	sampler, argument := getenv("OTEL_TRACES_SAMPLER"), getenv("OTEL_TRACES_SAMPLER_ARG")
	switch strings.TrimPrefix(sampler, "parentbased_") {
	case "", "always_on":
	case "always_off":
		s.endpoint = ""
	case "traceidratio":
		if argument == "" {
			return nil
		}
		share, err := strconv.ParseFloat(argument, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: %q isn't a share from 0 to 1", argument)
		}
		s.share = share
	default:
		return fmt.Errorf("OTEL_TRACES_SAMPLER: %q isn't known", sampler)
	}
	return nil
}

// pairs reads name=value,name=value, the values as in URLs.
func pairs(text string) (map[string]string, error) {
	all := make(map[string]string)
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			return nil, errors.New("not a pair")
		}
		all[name] = value
	}
	return all, nil
}
