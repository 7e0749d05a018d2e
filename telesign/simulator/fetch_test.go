package simulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/handout-dev/handout/telesign/simulator"
)

const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// host serves files of many kinds.
func host(t *testing.T) string {
	t.Helper()
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/good.xlsx", answer(200, xlsx, "PK\x03\x04 and so on"))
	mux.HandleFunc("/good.pdf", answer(200, "application/pdf; x=y", "%PDF-1.7"))
	mux.HandleFunc("/moved", http.RedirectHandler("/good.xlsx", http.StatusFound).ServeHTTP)
	mux.HandleFunc("/round", http.RedirectHandler("/round", http.StatusFound).ServeHTTP)
	mux.HandleFunc("/page", answer(200, "text/html", "<html>log in"))
	mux.HandleFunc("/disguised.xlsx", answer(200, xlsx, "<html>log in"))
	mux.HandleFunc("/empty.xlsx", answer(200, xlsx, ""))
	mux.HandleFunc("/forbidden", answer(403, xlsx, "PK\x03\x04"))
	mux.HandleFunc("/cut.xlsx", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", xlsx)
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("PK\x03\x04 and no more"))
	})
	mux.HandleFunc("/large.xlsx", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", xlsx)
		chunk := make([]byte, 1<<20)
		copy(chunk, "PK\x03\x04")
		for range 101 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/picture", answer(200, "image/png", "\x89PNG...."))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// last is how the message to a number ended, by its last receipt.
func (r *rig) last(phone string, body object) string {
	r.t.Helper()
	body["recipient"] = object{"phone_number": phone}
	body["external_id"] = "to." + phone
	if got := r.post(body); got.status != http.StatusOK {
		r.t.Fatalf("HTTP status %d: %s", got.status, got.body)
	}
	r.idle()
	end := ""
	for _, receipt := range r.listener.callbacks() {
		if receipt.ExternalID != nil && *receipt.ExternalID == "to."+phone {
			end = receipt.outline()
		}
	}
	return end
}

func TestFetchFiles_WhatCannotBeFetchedFailsOnWhatsAppAlone(t *testing.T) {
	t.Parallel()
	files := host(t)
	r := start(t, simulator.Options{Speed: hurry, FetchFiles: true})
	n := 0
	try := func(template, parameter, url string) string {
		n++
		m := message("")
		m["message"] = object{
			"whatsapp": object{"template": template, "parameters": object{parameter: url}},
			"sms":      object{"template": "text", "parameters": object{"text": url}},
		}
		return r.last(fmt.Sprintf("1201555%02d00", n), m)
	}
	const delivered = "3000 whatsapp: whatsapp 3000"
	for _, c := range []struct{ template, parameter, path, want string }{
		{"file", "url", "/good.xlsx", delivered},
		{"file", "header_url", "/good.pdf", delivered},
		{"orders", "header_url", "/moved", delivered},
		{"image", "url", "/picture", delivered},
		{"file", "url", "/picture", "3000 sms: whatsapp 3035, sms 3000"},
		{"file", "url", "/page", "3000 sms: whatsapp 3035, sms 3000"},
		{"file", "url", "/disguised.xlsx", "3000 sms: whatsapp 3035, sms 3000"},
		{"file", "url", "/empty.xlsx", "3000 sms: whatsapp 3035, sms 3000"},
		{"file", "url", "/cut.xlsx", "3000 sms: whatsapp 3035, sms 3000"},
		{"file", "url", "/forbidden", "3000 sms: whatsapp 3035, sms 3000"},
		{"file", "url", "/nowhere", "3000 sms: whatsapp 3035, sms 3000"},
		{"file", "url", "/round", "3000 sms: whatsapp 3035, sms 3000"},
		{"file", "url", "/large.xlsx", "3000 sms: whatsapp 3061, sms 3000"},
	} {
		if got := try(c.template, c.parameter, files+c.path); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.template, c.path, got, c.want)
		}
	}
	if got := try("file", "url", "http://127.0.0.1:9/"); !strings.Contains(got, "whatsapp 3035") {
		t.Errorf("nobody listens there: %s", got)
	}
	if s := r.vendor.Stats(); s.FilesFetched != 4 || s.FilesRefused != 10 {
		t.Errorf("%d fetched, %d refused", s.FilesFetched, s.FilesRefused)
	}
}

func TestFetchFiles_WithoutItNothingIsFetched(t *testing.T) {
	t.Parallel()
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(server.Close)
	r := start(t, simulator.Options{Speed: hurry})
	m := message("")
	m["message"] = object{"default": object{"template": "file", "parameters": object{"url": server.URL + "/a.xlsx"}}}
	if got := r.last("12015550100", m); got != "3000 whatsapp: whatsapp 3000" || asked {
		t.Errorf("%s; asked: %v", got, asked)
	}
}
