package telesign_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/handout-dev/handout/telesign"
)

func TestError_SaysWhatHappened(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]telesign.Error{
		"telesign send: later: HTTP 429: code 3204: Rate limit exceeded": {
			Class: telesign.Later, Op: "send", HTTPStatus: 429, Code: 3204, Description: "Rate limit exceeded"},
		"telesign send: unknown: HTTP 500: code 9999: Something new": {
			Op: "send", HTTPStatus: 500, Code: 9999, Description: "Something new"},
		"telesign status: later: dial tcp 127.0.0.1:43211: connect: connection refused": {
			Class: telesign.Later, Op: "status", Err: errors.New("dial tcp 127.0.0.1:43211: connect: connection refused")},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestError_ShowsNoNumberHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	for _, echoed := range []string{
		"15558675309", "+15558675309", "1 555 867 5309", "+1 (555) 867-5309", "1-555-867-5309", "1.555.867.5309",
		"x15558675309x", "15558675309 15558675310", `"15558675309"`, "5558675",
	} {
		for _, text := range []string{
			"Invalid value for parameter phone_number: " + echoed,
			"Blocked " + echoed + " for you",
			echoed,
			"first\nsecond " + echoed,
		} {
			e := telesign.Error{Op: "send", Code: 9999, Description: text}
			if got := e.Error(); strings.Contains(got, "555") || strings.Contains(got, "\n") {
				t.Errorf("%q is shown as %q", text, got)
			}
		}
		e := telesign.Error{Op: "send", Err: errors.New("proxy: " + echoed)}
		if got := e.Error(); strings.Contains(got, "15558675309") {
			t.Errorf("cause %q is shown as %q", echoed, got)
		}
	}
	e := telesign.Error{Op: "send", Description: strings.Repeat("é", 1000)}
	if got := e.Error(); len(got) > 300 {
		t.Errorf("%d bytes of text", len(got))
	}
}

func TestError_KeepsItsCause(t *testing.T) {
	t.Parallel()
	err := error(&telesign.Error{Op: "send", Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}
