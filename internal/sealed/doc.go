// Package sealed encrypts what Redis holds of people, and the secrets of webhooks, when
// the installation has a master key.
//
// Each campaign's pages are encrypted by a key of its own (AES-256-GCM), which stands in
// Redis beside them, wrapped by the master key, which doesn't. A purge destroys the
// wrapped key first: from then on neither Redis nor its files can give back who was in
// the campaign. A backup from before has the wrapped key still, unless the keys are kept
// in a Redis of their own ([Ring.KeepKeysIn]): it opens with the master key of its time
// alone, and with none once that one was replaced and destroyed ([Ring.Rewrap]).
//
//	master key ──wraps──▶ key of a campaign's life ──seals──▶ page, at its place
//	(environment)         (Redis, {c}:key)                    (Redis, {c}:page:<n>)
//
// A page opens at its own place in its own campaign's own life alone. Pages are
// compressed before they are sealed.
package sealed
