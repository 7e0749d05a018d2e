package api

import (
	"context"

	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerAudit() {
	add(a, a.operation("get-audit", "GET /audit", access.All, "Read the audit trail",
		"Who did what, when, from where and why, the latest first. It takes a key with all scopes and no limits. "+
			"`handout audit verify` looks whether it is whole.", invalid), a.trail)
}

type trailInput struct {
	Cursor string `query:"cursor" maxLength:"40" doc:"next_cursor of the answer before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// AuditEntry is a line of the audit trail.
type AuditEntry audit.Entry

// Trail is a part of the audit trail.
type Trail struct {
	Entries    []AuditEntry `json:"entries" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"there may be more: ask with it as cursor"`
}

func (a *API) trail(ctx context.Context, in *trailInput) (*Trail, error) {
	place, ok := audit.ParsePlace(in.Cursor)
	if !ok {
		return nil, problem(invalid, "", Fault{Field: "cursor", Message: "not one of an answer before"})
	}
	entries, next, err := a.o.Audit.Latest(ctx, place, in.Limit)
	out := &Trail{make([]AuditEntry, len(entries)), string(next)}
	for i, e := range entries {
		out.Entries[i] = AuditEntry(e)
	}
	return out, err
}
