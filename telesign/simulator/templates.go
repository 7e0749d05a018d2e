package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// defaultTemplateRate is how many requests about templates the vendor takes in a
// second (its page on rate limits: Template Management, 1).
const defaultTemplateRate = 1

// templates are the account's custom templates.
type templates struct {
	mu    sync.Mutex
	on    bool // the product is enabled
	all   []telesign.Template
	asked window
}

// SetTemplates sets what GET /v1/omnichannel/templates lists from now on; nil takes
// the product away. A message with a custom template that isn't among them fails on
// its channel with 3112, one without a mandatory parameter with 3305. Whether the
// vendor refuses a template for its status, and with which code, isn't documented:
// here it is sent.
func (s *Simulator) SetTemplates(all []telesign.Template) {
	s.templates.mu.Lock()
	defer s.templates.mu.Unlock()
	s.templates.on, s.templates.all = all != nil, slices.Clone(all)
}

func (t *templates) find(n telesign.TemplateName) int {
	return slices.IndexFunc(t.all, func(have telesign.Template) bool { return have.TemplateName == n })
}

// get returns one template.
func (t *templates) get(n telesign.TemplateName) (telesign.Template, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.find(n); i >= 0 {
		return t.all[i], true
	}
	return telesign.Template{}, false
}

// fault says with which code a channel will fail for its template, or 0.
func (t *templates) fault(channel string, details fields) telesign.Code {
	if channel != telesign.ChannelWhatsApp && channel != telesign.ChannelSMS {
		return 0 // the vendor lists no others
	}
	name, _ := details.text("template")
	if _, predefined := needs[channel][name]; predefined {
		return 0
	}
	t.mu.Lock()
	on := t.on
	t.mu.Unlock()
	if !on {
		return 0
	}
	found, ok := t.get(telesign.TemplateName{Channel: channel, Name: name})
	if !ok {
		return codeNoTemplate
	}
	var parameters fields
	if details.has("parameters") && json.Unmarshal(details["parameters"], &parameters) != nil {
		return codeNoTemplateParams
	}
	for _, needed := range found.MandatoryParameters {
		if value, isText := parameters.text(needed); !isText || value == "" {
			return codeNoTemplateParams
		}
	}
	return 0
}

// listTemplates is GET /v1/omnichannel/templates (reference: getallmsgtemplates).
func (s *Simulator) listTemplates(w http.ResponseWriter, r *http.Request) {
	if !s.admitTemplates(w, r) {
		return
	}
	s.templates.mu.Lock()
	all := append([]telesign.Template{}, s.templates.all...)
	s.templates.mu.Unlock()
	writeJSON(w, http.StatusOK, all)
}

// getTemplate is GET /v1/omnichannel/templates/{channel}/{name} (reference:
// getmsgtemplate). Whether the vendor has 3856 for a template that doesn't exist, as
// for a name that isn't valid, isn't documented.
func (s *Simulator) getTemplate(w http.ResponseWriter, r *http.Request) {
	if !s.admitTemplates(w, r) {
		return
	}
	t, ok := s.templates.get(telesign.TemplateName{Channel: r.PathValue("channel"), Name: r.PathValue("name")})
	if !ok {
		s.refuseTemplates(w, http.StatusBadRequest, telesign.CodeTemplateUnknown, r.PathValue("name"), "there is no such template")
		return
	}
	writeJSON(w, http.StatusOK, t)
}

// admitTemplates answers requests that aren't let through.
func (s *Simulator) admitTemplates(w http.ResponseWriter, r *http.Request) bool {
	if why := s.guard.check(r, nil, time.Now()); why != "" {
		s.refuseTemplates(w, http.StatusUnauthorized, telesign.CodeNotAuthorized, "", why)
		return false
	}
	if s.stopping.Err() != nil {
		s.refuseTemplates(w, http.StatusServiceUnavailable, telesign.CodeUnavailable, "", "the simulator is closed")
		return false
	}
	t := &s.templates
	t.mu.Lock()
	on, within := t.on, t.asked.pass(time.Since(s.start), s.o.TemplateRate)
	t.mu.Unlock()
	switch {
	case !on:
		s.refuseTemplates(w, http.StatusUnauthorized, telesign.CodeTemplatesDisabled, "", "no templates were set")
	case !within:
		s.refuseTemplates(w, http.StatusTooManyRequests, telesign.CodeRateLimited, "", "more requests about templates in a second than the account has")
	}
	return on && within
}

func (s *Simulator) refuseTemplates(w http.ResponseWriter, status int, code telesign.Code, value, why string) {
	s.log.Debug("request about templates refused", "http", status, "code", int(code), "why", why)
	w.Header().Set("X-Simulator-Reason", why)
	writeJSON(w, status, statusRefusal{sendStatus{code, describe(code, value)}})
}

// TemplateChange is what becomes of a template, as the vendor's callback says it.
type TemplateChange struct {
	telesign.TemplateName
	// Code is 3850 to 3857: 3852 rejects, 3853 removes, 3854 flags, 3855 disables,
	// 3850 and 3851 approve.
	Code telesign.Code `json:"code"`
}

// ChangeTemplate changes one of the templates that were set, and calls back as the
// vendor does (reference: templatescallbacks). It returns when that was answered with
// 200; otherwise the error says why not.
func (s *Simulator) ChangeTemplate(ctx context.Context, c TemplateChange) error {
	if c.Code < telesign.CodeTemplateCreated || c.Code > telesign.CodeTemplateKept {
		return errors.New("a code is 3850 to 3857")
	}
	t := &s.templates
	t.mu.Lock()
	i := t.find(c.TemplateName)
	if i < 0 {
		t.mu.Unlock()
		return fmt.Errorf("there is no template %s of %s", c.Name, c.Channel)
	}
	language := t.all[i].Language
	if c.Code == telesign.CodeTemplateRemoved {
		t.all = slices.Delete(t.all, i, i+1)
	} else if word, ok := statuses[c.Code]; ok {
		t.all[i].Status = word
	}
	t.mu.Unlock()
	type object = map[string]any
	body, err := json.Marshal(object{
		"reference_id": s.refs.of(refusalBit | replyBit | s.replies.Add(1)),
		"name":         c.Name, "channel": c.Channel, "language": []string{language},
		"status": object{"code": c.Code, "description": c.Code.Text(), "updated_on": documentedStamp.format(time.Now())},
	})
	if err != nil {
		return err
	}
	return s.tell(ctx, body)
}

// statuses are the words of a template after a callback. The vendor documents
// Approved alone, and that it passes WhatsApp's on.
var statuses = map[telesign.Code]string{
	telesign.CodeTemplateCreated: "Approved", telesign.CodeTemplateApproved: "Approved", telesign.CodeTemplateRejected: "Rejected",
	telesign.CodeTemplateFlagged: "Flagged", telesign.CodeTemplateDisabled: "Disabled",
}

// serveSetTemplates is SetTemplates over HTTP: the array that the vendor lists, or null.
func (s *Simulator) serveSetTemplates(w http.ResponseWriter, r *http.Request) {
	var all []telesign.Template
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRead)).Decode(&all); err != nil {
		http.Error(w, "an array of templates is needed, or null", http.StatusBadRequest)
		return
	}
	s.SetTemplates(all)
	fmt.Fprintf(w, "%d templates\n", len(all))
}

// serveChangeTemplate is ChangeTemplate over HTTP.
func (s *Simulator) serveChangeTemplate(w http.ResponseWriter, r *http.Request) {
	var c TemplateChange
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRead)).Decode(&c); err != nil {
		http.Error(w, "a JSON object is needed", http.StatusBadRequest)
		return
	}
	if err := s.ChangeTemplate(r.Context(), c); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	_, _ = w.Write([]byte("heard\n"))
}
