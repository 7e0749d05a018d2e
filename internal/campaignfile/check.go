package campaignfile

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/telesign"
)

const (
	minFallback   = telesign.MinFallback * time.Second
	maxFallback   = telesign.MaxFallback * time.Second
	fallbackRange = "must be from 30 seconds to 1 hour"
)

// finish sets the defaults of a spec and checks it. A path that is broken has its
// fault already.
func (f *File) finish(faults *Faults, broken map[string]bool) {
	s := f.Spec
	s.Channels = slices.Clone(s.Channels)
	if s.Columns = maps.Clone(s.Columns); len(s.Columns) == 0 {
		s.Columns = nil
	}
	for i := range s.Channels {
		s.Channels[i].Parameters = maps.Clone(s.Channels[i].Parameters)
	}
	if s.Default != nil {
		s.Default = &campaign.Content{Template: s.Default.Template, Parameters: maps.Clone(s.Default.Parameters)}
	}
	c := &specChecker{file: f, faults: faults, broken: broken}
	if broken[""] {
		return
	}
	if s.Lane == "" {
		s.Lane = campaign.LaneBulk
	}
	if s.OnDoubt == "" {
		s.OnDoubt = campaign.DoubtHold
	}
	if _, err := campaign.ParseID(string(s.ID)); err != nil {
		c.missingOr("id", string(s.ID), err.Error())
	}
	if _, _, standing := campaign.StandingDay(s.ID); standing { // one-off sends would be appended to it
		c.fault("id", "a day's one-off sends have this name: choose another")
	}
	if !telesign.KnownMessageType(s.MessageType) {
		c.missingOr("message_type", s.MessageType, "must be one of "+strings.Join(telesign.MessageTypes, ", "))
	}
	if s.Rate < 0 || math.IsNaN(s.Rate) || math.IsInf(s.Rate, 0) {
		c.fault("rate", "must not be negative or infinite")
	}
	if s.Lane != campaign.LaneBulk && s.Lane != campaign.LaneUrgent {
		c.fault("lane", "must be bulk or urgent")
	}
	if s.OnDoubt != campaign.DoubtHold && s.OnDoubt != campaign.DoubtResend {
		c.fault("on_doubt", "must be hold or resend")
	}
	if f := s.CheckFiles; f != campaign.CheckNone && f != campaign.CheckSample && f != campaign.CheckAll {
		c.fault("check_files", "must be none, sample or all")
	}
	if s.UnknownRanges == "accept" {
		s.UnknownRanges = campaign.RangesAccept // written and not written are the same content
	}
	if r := s.UnknownRanges; r != campaign.RangesAccept && r != campaign.RangesRefuse {
		c.fault("unknown_ranges", "must be accept or refuse")
	}
	if s.SameRecipient == "refuse" {
		s.SameRecipient = campaign.SameRefuse
	}
	if r := s.SameRecipient; r != campaign.SameRefuse && r != campaign.SameNote {
		c.fault("same_recipient", "must be refuse or note")
	}
	if s.WhatsAppWhitespace == "refuse" {
		s.WhatsAppWhitespace = campaign.WhitespaceRefuse
	}
	if w := s.WhatsAppWhitespace; w != campaign.WhitespaceRefuse && w != campaign.WhitespaceCollapse {
		c.fault("whatsapp_whitespace", "must be refuse or collapse")
	}
	s.Account = campaign.StoredAccount(s.Account)
	if s.Account != "" && !campaign.ValidAccount(s.Account) {
		c.fault("account", campaign.AccountForm)
	}
	c.passedThrough(s)
	c.limits(s)
	c.hours(s)
	if len(s.Channels) == 0 {
		c.fault("channels", "at least one channel is needed")
	}
	first := map[string]bool{}
	for i := range s.Channels {
		c.channel(i, first)
	}
	if d := s.Default; d != nil && !c.broken["default"] {
		if len(d.Parameters) == 0 {
			d.Parameters = nil
		}
		if d.Template == "" {
			c.fault("default.template", "missing")
		}
		c.content("default", &campaign.Channel{Channel: campaign.DefaultChannel, Template: d.Template, Parameters: d.Parameters})
	}
}

// passedThrough checks what Telesign would refuse in every request, or not heed.
func (c *specChecker) passedThrough(s *campaign.Spec) {
	if strings.TrimSpace(s.SenderID) != s.SenderID || strings.ContainsFunc(s.SenderID, unicode.IsControl) {
		c.fault("sender_id", "must have no space around it, and no control characters")
	}
	if ip, err := netip.ParseAddr(s.OriginatingIP); s.OriginatingIP != "" && (err != nil || ip.Zone() != "") {
		c.fault("originating_ip", "must be an IPv4 or IPv6 address") // 3105
	}
	if e := s.LifecycleEvent; e != "" && !slices.Contains(telesign.LifecycleEvents, e) {
		c.fault("account_lifecycle_event", "must be one of "+strings.Join(telesign.LifecycleEvents, ", ")) // 3104
	}
}

// limits checks what a file's parser has checked already, for specs from Go.
func (c *specChecker) limits(s *campaign.Spec) {
	for path, v := range map[string]float64{"max_failure_rate": s.MaxFailureRate, "canary_success": s.CanarySuccess} {
		if !(v >= 0 && v <= 1) {
			c.fault(path, "must be 0 to 1")
		}
	}
	for path, n := range map[string]int{"give_up_after": s.GiveUpAfter, "retention": s.Retention} {
		if n < 0 || n > int(maxLong/time.Second) {
			c.fault(path, "must be 0 seconds to 3650 days")
		}
	}
	if s.Canary < 0 || s.Canary > campaign.MostCanary {
		c.fault("canary", "must be 0 to "+campaign.Number(campaign.MostCanary))
	}
	if s.CanarySuccess > 0 && s.Canary == 0 {
		c.fault("canary_success", "needs canary: how many are sent to first")
	}
}

// hours sets the defaults of a spec's hours and checks them. Channels come before
// it: how long their fallback takes is a part of the check.
func (c *specChecker) hours(s *campaign.Spec) {
	if s.UnknownZone == "hold" {
		s.UnknownZone = "" // the default: written and not written are the same content
	}
	if h := s.Hours; h != nil {
		own := *h
		own.Days = slices.Clone(h.Days)
		s.Hours = &own
	}
	if c.broken["hours"] {
		return
	}
	wrong := s.CheckHours()
	for _, path := range slices.Sorted(maps.Keys(wrong)) {
		c.fault(path, wrong[path])
	}
}

type specChecker struct {
	file   *File
	faults *Faults
	broken map[string]bool
}

func (c *specChecker) fault(path, message string) {
	if c.broken[path] {
		return
	}
	c.faults.Add(c.file.Fault(path, message))
}

func (c *specChecker) missingOr(path, value, message string) {
	if value == "" {
		message = "missing"
	}
	c.fault(path, message)
}

func (c *specChecker) channel(i int, first map[string]bool) {
	ch := &c.file.Spec.Channels[i]
	path := "channels[" + strconv.Itoa(i) + "]"
	if c.broken[path] {
		return
	}
	switch {
	case !telesign.KnownChannel(ch.Channel):
		c.missingOr(path+".channel", ch.Channel, "must be one of "+strings.Join(telesign.Channels, ", "))
	case first[ch.Channel]:
		c.fault(path+".channel", ch.Channel+" stands in the cascade twice")
	}
	first[ch.Channel] = true
	if ch.Channel == telesign.ChannelEmail && len(ch.Template) > telesign.MaxEmailTemplate {
		c.fault(path+".template", fmt.Sprintf("longer than the %d characters that Telesign has for a template of e-mail", telesign.MaxEmailTemplate))
	}
	if t := ch.FallbackTime; t != 0 && (t < telesign.MinFallback || t > telesign.MaxFallback) {
		c.fault(path+".fallback_time", fallbackRange)
	}
	if len(ch.Parameters) == 0 {
		ch.Parameters = nil // written empty and not written are the same content
	}
	switch {
	case ch.Template != "":
	case c.file.Spec.Default == nil:
		c.fault(path+".template", "missing")
	case ch.Parameters != nil:
		c.fault(path+".parameters", "need a template: without one the channel says what default says")
		return
	}
	c.content(path, ch)
}

// content checks what a channel says, and the default.
func (c *specChecker) content(path string, ch *campaign.Channel) {
	for _, name := range slices.Sorted(maps.Keys(ch.Parameters)) {
		c.parameter(path+".parameters."+name, ch, name)
	}
	if _, ok := ch.Parameters[translate.TextParameter]; !ok && translate.IsSMSText(c.file.Spec, ch) && !c.broken[path+".parameters"] {
		c.fault(path+".parameters.text", "missing: the template text of sms needs it")
	}
}

// parameter checks a parameter without the list: the template's form, and the whole
// value where no column stands in it.
func (c *specChecker) parameter(path string, ch *campaign.Channel, name string) {
	text := ch.Parameters[name]
	if name == "" {
		c.fault(path, "a parameter needs a name")
		return
	}
	t, err := campaign.ParseTemplate(text, nil)
	var missing *campaign.MissingColumnError
	switch {
	case errors.As(err, &missing):
		return // known when the list is
	case err != nil:
		c.fault(path, err.Error())
		return
	case len(t.Fields()) > 0:
		return
	}
	value, err := t.Render(&campaign.Recipient{})
	if err == nil {
		err = translate.CheckValue(ch, name, translate.Value(c.file.Spec, ch, name, value))
	}
	if errors.As(err, new(translate.WhitespaceError)) {
		return // found in each row, in which it can be seen beside what the rows have
	}
	if err != nil {
		c.fault(path, err.Error())
	}
}

// Cascade checks every template against the header of a list, and compiles them.
func (f *File) Cascade(columns []string) (*campaign.Cascade, error) {
	var faults Faults
	check := func(path string, parameters map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(parameters)) {
			if _, err := campaign.ParseTemplate(parameters[name], columns); err != nil {
				faults.Add(f.Fault(path+".parameters."+name, err.Error()))
			}
		}
	}
	for i := range f.Spec.Channels {
		check(fmt.Sprintf("channels[%d]", i), f.Spec.Channels[i].Parameters)
	}
	if d := f.Spec.Default; d != nil {
		check("default", d.Parameters)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return campaign.NewCascade(f.Spec, columns)
}
