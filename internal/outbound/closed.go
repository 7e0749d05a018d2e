package outbound

import "net/netip"

// closed are the networks that hold no public server, beside those that netip
// names (loopback, private use, link-local, multicast, unspecified). Sources: IANA,
// "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address
// Registry", all that isn't globally reachable; and what holds an IPv4 address,
// which may be a private one.
var closed = prefixes(
	"0.0.0.0/8",        // this network
	"100.64.0.0/10",    // shared by the customers of a carrier; 100.100.100.200 is Alibaba's metadata
	"168.63.129.16/32", // Azure's host, as its virtual machines see it
	"192.0.0.0/24",     // protocol assignments; 192.0.0.192 is Oracle's metadata
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays, deprecated
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"240.0.0.0/4",      // reserved, and broadcast

	"::/96",           // holds an IPv4 address: IPv4-compatible, deprecated
	"::ffff:0:0:0/96", // holds an IPv4 address: translated by SIIT
	"64:ff9b::/96",    // holds an IPv4 address: NAT64
	"64:ff9b:1::/48",  // holds an IPv4 address: NAT64 of a site's own
	"100::/64",        // discarded
	"100:0:0:1::/64",  // dummy prefix
	"2001::/23",       // protocol assignments; Teredo, 2001::/32, holds an IPv4 address
	"2001:db8::/32",   // documentation
	"2002::/16",       // holds an IPv4 address: 6to4
	"3fff::/20",       // documentation
	"5f00::/16",       // segment routing
	"fec0::/10",       // site-local, deprecated
)

// assigned is what IANA hands out of IPv6 for the public internet. The rest is
// closed, with a row above or without: 200::/7 is used for private overlays.
var assigned = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// public reports whether an address is the public internet's.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" || a.Is6() && !assigned.Contains(a) {
		return false
	}
	for _, p := range closed {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
