package console

import (
	"strings"

	"github.com/handout-dev/handout/internal/web/access"
)

// nav is the navigation, in its order.
var nav = []navEntry{
	{"/campaigns", "Campaigns", access.Read},
	{"/new", "New", access.Submit},
	{"/people", "People", access.Read},
	{"/doubt", "In doubt", access.Read},
	{"/suppression", "Suppressed", access.Read},
	{"/keys", "Keys", access.All},
	{"/queues/", "Queues", access.Read},
	{"/api/v1/docs", "API", access.Read},
}

// navEntry is a page in the navigation, and the scope that it takes.
type navEntry struct {
	Path, Text string
	scope      access.Scope
}

// navItem is an entry as it stands on a page.
type navItem struct {
	Path, Text string
	Here       bool
}

func navFor(v *visit) []navItem {
	var items []navItem
	for _, e := range nav {
		if v.may(e.scope) {
			here := v.URL.Path == e.Path || strings.HasPrefix(v.URL.Path, e.Path+"/")
			items = append(items, navItem{e.Path, e.Text, here})
		}
	}
	return items
}
