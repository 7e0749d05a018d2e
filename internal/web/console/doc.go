// Package console is the operators' pages: server-rendered HTML that works
// without JavaScript, and htmx on top for what moves by itself. It judges
// nothing: what became of everyone comes from the ledger, who may do what from
// internal/web/access. No build step, and nothing from another host.
//
// # How a page is added
//
//  1. A method of *Console in a file of its own, which returns the template's
//     name, its data, and an error:
//
//     func (c *Console) suppression(v *visit) (string, any, error) {
//     ...
//     return "suppression", list, nil
//     }
//
//  2. templates/suppression.html, which defines "title" and "main". Both get a
//     *view: {{.Data}} is what the method returned, {{.May "control"}} a scope of
//     whoever looks, {{.Actor}} the name.
//
//  3. A line in a method of routes.go: c.page("GET /suppression", access.Read, c.suppression).
//     Whoever hasn't the scope gets a 403 in the layout; without a key, the login page.
//
//  4. A line in nav (nav.go), if the page stands in the navigation.
//
// A name with #part renders that template of the file alone: "campaigns#live"
// is what htmx polls. v.partial() says whether htmx asks.
//
// # Forms
//
// <form method="post" action="…">, and a line in routes.go:
// c.form("POST /suppression/add", access.Control, c.addSuppression). The method
// returns where to go then (a 303), or an error. v.PostFormValue has the fields; bodies
// over 1 MB are refused, c.upload takes larger ones. Requests that another site
// makes a browser send are refused before the method is called
// (http.CrossOriginProtection, and the session's cookie is SameSite=Strict): a
// form needs no token. A deed that can't be undone is asked first, on a page of
// its own (GET …/confirm), which shows the number of people and posts it along,
// so that a stale one is refused with 409: return "ask" with a question
// (actions.go), and you need no template of your own. What reads a whole list
// goes on with c.long(v), so that a browser that is closed leaves nothing half done.
//
// v.actor(why) is who does it, for the history. v.flash(text) is shown once, on
// the next page: never put people's data into it, as it travels in a cookie.
//
// # People's data
//
// v.phone(e164) and v.name(name, e164) are what this visitor may see: masked but
// for the last two digits without the scope people. Templates only ever get what
// has gone through them. Never put a number into an address: places (12.7) are for that.
//
// # Errors
//
// fail.go has the one switch from errors to pages. refuse(status, text) is an
// error of the page's own; its text is shown.
//
// # Layout and CSS
//
// assets/console.css holds all of it; no inline style or script works here (the
// Content-Security-Policy says so), SVG's attributes do. Classes:
//
//	.wide         around a table that may be wider than a phone: scrolls inside
//	table.cards   on a phone each row is a card; each td has data-label="…"
//	td.n, th.n    numbers, to the right
//	.state .state-held …   a campaign's or a person's state, as a badge
//	.notice .notice-bad .notice-good   a box with words
//	.button .danger .quiet  buttons and links that look so
//	.row          things beside each other that wrap
//	.fields       a form's labels above their inputs
//	.facts        a dl in two columns
//	.dim          less important words
//	.visually-hidden   for screen readers alone
//	.key-*        colours of outcomes, see the bar and the legend in templates/parts.html
//
// Functions in templates: see functions.go (count, percent, when, ago, words,
// span's seconds; about, which gives a part the view with other data).
// Each element that a person acts on, and each that changes by itself, has an id.
package console
