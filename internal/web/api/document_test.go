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
