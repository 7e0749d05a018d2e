package probe

import (
	"net/url"
	"strings"
)

// Destination is where messages go.
type Destination struct {
	Server string // as in rest-ww.telesign.com
	Real   bool   // it is Telesign's: messages are delivered, and paid for
}

// DestinationOf returns where messages go that are sent to this URL.
func DestinationOf(address string) Destination {
	u, err := url.Parse(address)
	if err != nil {
		return Destination{Server: "an address that can't be read"}
	}
	host := strings.ToLower(u.Hostname())
	return Destination{u.Host, host == "telesign.com" || strings.HasSuffix(host, ".telesign.com")}
}

// String says it after "messages go to".
func (d Destination) String() string {
	if d.Real {
		return "Telesign (" + d.Server + "): they are delivered, and paid for"
	}
	return "a simulator (" + d.Server + "), not to Telesign: they reach no phone"
}

// Setting is one that is for rehearsals.
type Setting struct {
	Name string
	On   bool
	What string // its value, and what it means
}
