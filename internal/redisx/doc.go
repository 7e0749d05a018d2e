// Package redisx opens a Redis from a URL and says what kind of Redis it is.
//
// These forms are understood:
//
//	redis://[user:password@]host[:6379][/database]       one server
//	rediss://…                                           the same over TLS
//	unix://[user:password@]/path/to/socket[?db=1]        one server on this machine
//	redis+sentinel://host[:26379][/database]?master_name=NAME[&addr=host2:26379…]
//	redis+cluster://host[:6379][?addr=host2:6379…]       Redis Cluster
//
// rediss+sentinel and rediss+cluster are these over TLS. A redis:// URL with
// master_name is one of Sentinel, with addr alone one of Cluster, as in
// go-redis, whose other options (pool_size, read_timeout, max_retries, …) may
// stand in any of them.
//
// With Sentinel, the user and password before the host serve the Sentinels and
// the servers alike. Where they differ, or where the Sentinels take none, the
// servers' own stand in the query: ?username=…&password=….
//
// A password with characters of URL syntax in it (@ : / ? # %) has to be
// percent-encoded. No error of this package and nothing that Describe returns
// contains a password, not even of a URL that is no URL.
package redisx
