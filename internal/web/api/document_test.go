package api_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestDocument_IsOpenAPI31(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	if h.document.OpenAPI != "3.1.0" {
		t.Errorf("version %s", h.document.OpenAPI)
	}
	if err := h.document.Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Error(err)
	}
	for path, item := range h.document.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Summary == "" || op.Description == "" || op.OperationID == "" || op.Security == nil {
				t.Errorf("%s %s lacks words, an ID, or its scope", method, path)
			}
		}
	}
}

func TestDocument_ThePageNeedsNobodyElse(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	resp, err := http.Get(h.url + "/docs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if regexp.MustCompile(`<script|<link|<img|src=|@import|url\(`).MatchString(page) {
		t.Error("it loads something")
	}
	for path, item := range h.document.Paths.Map() {
		for method, op := range item.Operations() {
			if !strings.Contains(page, `id="`+op.OperationID+`"`) || !strings.Contains(page, method+" /api/v1"+path) {
				t.Errorf("%s %s isn't on it", method, path)
			}
		}
	}
	ids := make(map[string]bool)
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] && m[1] != "schema-string" {
			t.Errorf("a link leads to #%s, which isn't there", m[1])
		}
	}
}

func TestDocument_EveryOperationHasAnExampleOfItsRequestAndAnswer(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	resp, err := http.Get(h.url + "/docs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if n, want := strings.Count(string(page), "<pre tabindex=\"0\">curl "), len(h.calls(t)); n != want {
		t.Errorf("%d commands for %d operations", n, want)
	}
	if strings.Contains(string(page), "$API/campaigns/{") || strings.Contains(string(page), "&lt;nil&gt;") {
		t.Error("a command has a parameter without an example")
	}
	for path, item := range h.document.Paths.Map() {
		for method, op := range item.Operations() {
			if body := op.RequestBody; body != nil {
				for media, content := range body.Value.Content {
					if content.Example == nil && (media == asJSON || media == asCSV) {
						t.Errorf("%s %s has no example of its %s", method, path, media)
					}
				}
			}
			for status, r := range op.Responses.Map() {
				for media, content := range r.Value.Content {
					if content.Example == nil && strings.HasPrefix(status, "2") {
						t.Errorf("%s %s has no example of its answer %s %s", method, path, status, media)
					}
				}
			}
		}
	}
	for name, s := range h.document.Components.Schemas {
		for field, about := range s.Value.Properties {
			if about.Value.Format == "date-time" && len(about.Value.Extensions) == 0 && about.Value.Examples == nil {
				t.Errorf("%s.%s is a time without an example", name, field)
			}
		}
	}
}
