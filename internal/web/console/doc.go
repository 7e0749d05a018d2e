// Package console is the operators' pages: server-rendered HTML that works
// without JavaScript, and htmx on top for what moves by itself. It judges
// nothing: what became of everyone comes from the ledger, who may do what from
// internal/web/access. No build step, and nothing from another host.
//
// README.md beside this file says how a page is added, and what a form, a template and
// an error may do.
package console
