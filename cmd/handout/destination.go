package main

import (
	"net/url"
	"strings"
)

// destination is where messages go.
type destination struct {
	Server string // as in rest-ww.telesign.com
	Real   bool   // it is Telesign's: messages are delivered, and paid for
}

func (c *Config) destination() destination {
	u, err := url.Parse(c.TelesignURL)
	if err != nil { // validate has refused it
		return destination{Server: "an address that can't be read"}
	}
	host := strings.ToLower(u.Hostname())
	return destination{u.Host, host == "telesign.com" || strings.HasSuffix(host, ".telesign.com")}
}

// String says it after "messages go to".
func (d destination) String() string {
	if d.Real {
		return "Telesign (" + d.Server + "): they are delivered, and paid for"
	}
	return "a simulator (" + d.Server + "), not to Telesign: they reach no phone"
}

// rehearsal are the settings in force that are for rehearsals.
func (c *Config) rehearsal() []string {
	var names []string
	for _, s := range []struct {
		name string
		on   bool
		what string
	}{
		{"HANDOUT_RECEIPT_DEADLINE", c.ReceiptDeadline != 0, c.ReceiptDeadline.String() + " instead of the fallback times: outcomes are asked for, and doubts closed, too soon"},
		{"HANDOUT_REQUIRE_SIGNATURE", !c.RequireSignature, "false: anyone who reaches the listener can send receipts"},
		{"HANDOUT_CHECK_FILES_PRIVATE", c.CheckFilesPrivate, "true: files may be where WhatsApp can't fetch them"},
		{"HANDOUT_WEBHOOK_ALLOW_PRIVATE", c.WebhookAllowPrivate, "true: webhooks may lead into your own network, and over http"},
		{"HANDOUT_CONSOLE_OPEN", c.ConsoleOpen, "true: browsers on the console's machine need no key"},
	} {
		if s.on {
			names = append(names, s.name+"="+s.what)
		}
	}
	return names
}

// diagnoseDestination says where messages go, and names settings for rehearsals: a note
// where they are in force for real messages.
func diagnoseDestination(c *Config) []finding {
	to := c.destination()
	findings := []finding{{OK: true, Check: "messages", Found: "go to " + to.String()}}
	for _, setting := range c.rehearsal() {
		findings = append(findings, finding{
			OK: !to.Real, Check: "rehearsal", Found: setting, Advice: "remove it, unless it is meant: it is for rehearsals",
		})
	}
	return findings
}

// sayDestination logs where a worker's messages go.
func (m *mode) sayDestination() {
	to := m.destination()
	m.log.Info("messages go to " + to.String())
	if !to.Real {
		return
	}
	for _, setting := range m.rehearsal() {
		m.log.Warn("a setting for rehearsals is in force: " + setting)
	}
}
