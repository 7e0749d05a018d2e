package main

import "github.com/handout-dev/handout/internal/probe"

// destination is where messages go; of several accounts' one that is real, if any is.
func (c *Config) destination() probe.Destination {
	to := probe.DestinationOf(c.TelesignURL)
	all, _ := c.accounts() // who sends says what is wrong with them
	for i, url := range all.URLs() {
		if d := probe.DestinationOf(url); i == 0 || d.Real && !to.Real {
			to = d
		}
	}
	return to
}

// rehearsal are the settings in force that are for rehearsals.
func (c *Config) rehearsal() []string {
	var names []string
	for _, s := range []probe.Setting{
		{Name: "HANDOUT_RECEIPT_DEADLINE", On: c.ReceiptDeadline != 0, What: c.ReceiptDeadline.String() + " instead of the fallback times: outcomes are asked for, and doubts closed, too soon"},
		{Name: "HANDOUT_REQUIRE_SIGNATURE", On: !c.RequireSignature, What: "false: anyone who reaches the listener can send receipts"},
		{Name: "HANDOUT_CHECK_FILES_PRIVATE", On: c.CheckFilesPrivate, What: "true: files may be where WhatsApp can't fetch them"},
		{Name: "HANDOUT_WEBHOOK_ALLOW_PRIVATE", On: c.WebhookAllowPrivate, What: "true: webhooks may lead into your own network, and over http"},
		{Name: "HANDOUT_CONSOLE_OPEN", On: c.ConsoleOpen, What: "true: browsers on the console's machine need no key"},
	} {
		if s.On {
			names = append(names, s.Name+"="+s.What)
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
