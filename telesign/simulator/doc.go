// Package simulator is a strict double of Telesign's Messaging (omnichannel)
// API over real HTTP. The tests, the demo and `handout simulate` use the same
// one: a campaign can be rehearsed against it without paying.
//
//	POST /v1/omnichannel ──▶ who? how much? how often? what? ──▶ log ──▶ answer
//	                                                              │
//	GET /v1/omnichannel/{reference} ◀── what is true by now ◀── story
//	                                                              │
//	listener ◀── signed callbacks, up to four attempts each ◀─────┘
//
// It promises to refuse whatever the vendor documents as refused, with the
// vendor's codes, and where the vendor says nothing, rather to refuse than to
// let pass. It remembers every message that it took, also the same one twice:
// its log is the oracle for "sent exactly once". What happens to a message is
// settled by its phone number and its cascade alone, never by chance. It must
// never be more forgiving than the vendor, and it has no way to send anything
// to a person.
//
// # Stories
//
// The last two digits of the phone number choose what happens to the message.
// The ends are those for WhatsApp first and SMS second:
//
//	00-34         delivered: WhatsApp delivers
//	              → delivered, whatsapp
//	35-49         read: WhatsApp delivers, then it is read (3005)
//	              → delivered, whatsapp, read
//	50-57, 98-99  fallback after time-out: WhatsApp times out (3056), SMS delivers
//	              → delivered, sms
//	58-63         not on WhatsApp: WhatsApp fails at once (3055), SMS delivers
//	              → delivered, sms
//	64-66         no conversation window: WhatsApp refuses the template (3114), SMS delivers
//	              → delivered, sms
//	67-68         both: WhatsApp times out (3056), SMS delivers, then WhatsApp delivers after all
//	              → delivered, both
//	69            both fail: WhatsApp times out (3056), SMS expires (3033): 3003
//	              → failed
//	70            phone error: WhatsApp fails at once (3055), SMS finds a permanent phone error (3031): 3003
//	              → failed
//	71            silent: WhatsApp delivers, no callback ever; only the status query knows
//	              → delivered, whatsapp (unconfirmed without polling)
//	72            vanished: no callback ever, and the status query doesn't know the reference (404/-10004)
//	              → unconfirmed
//	73            early: every callback comes before the POST's answer
//	              → delivered, whatsapp
//	74            early without external_id: every callback comes before the POST's answer, with external_id null
//	              → delivered, whatsapp
//	75            duplicated: every callback comes three times
//	              → delivered, whatsapp
//	76            reordered: the final callback comes first, then 3002, then 3001
//	              → delivered, whatsapp
//	77            external_id null: callbacks have external_id null
//	              → delivered, whatsapp
//	78            external_id absent: callbacks have no external_id
//	              → delivered, whatsapp
//	79            external_id "null": callbacks have the string "null" as external_id
//	              → delivered, whatsapp
//	80            timestamp with a colon: callbacks are dated like 2020-05-04 22:07:01:226
//	              → delivered, whatsapp
//	81            timestamp without a zone: callbacks are dated like 2020-05-04 22:05:00.325
//	              → delivered, whatsapp
//	82            timestamp as documented: callbacks are dated like 2024-11-12T13:08:37.000000Z, as everywhere else
//	              → delivered, whatsapp
//	83            timestamp of HTTP: callbacks are dated like Thu, 23 Jun 2022 19:03:44 GMT
//	              → delivered, whatsapp
//	84            timestamp of month 31: callbacks are dated like 2022-31-03T14:51:28.709526Z
//	              → delivered, whatsapp
//	85            answer held: accepted, the answer never comes; callbacks follow when the client has gone
//	              → delivered, whatsapp
//	86            connection reset: accepted, the connection is reset; callbacks follow
//	              → delivered, whatsapp
//	87            server error: accepted, the answer is a 500 without a documented body; callbacks follow
//	              → delivered, whatsapp
//	88            in doubt: accepted, the connection is reset, no callback ever
//	              → in_doubt
//	89            unavailable at first: the number's first two POSTs get 503/3500, then WhatsApp delivers
//	              → delivered, whatsapp
//	90            rate limited at first: the number's first two POSTs get 429/3204, then WhatsApp delivers
//	              → delivered, whatsapp
//	91            rate limited with Retry-After: the number's first two POSTs get 429/3204 with Retry-After: 1, then WhatsApp delivers
//	              → delivered, whatsapp
//	92            refused: every POST gets 400/3113
//	              → refused
//	93            blocked: the subscriber has blocked us: 3046 on both channels, 3003
//	              → failed
//	94            unproven: WhatsApp fails at once (3055), SMS is sent and never confirmed (3004)
//	              → unconfirmed
//	95            unknown code: WhatsApp brings code 3999, which isn't documented, then delivers
//	              → delivered, whatsapp
//	96            another channel: WhatsApp fails at once (3055), RCS delivers, which wasn't asked for
//	              → delivered, other
//	97            unreadable answer: accepted, the answer is a 200 with half a body; callbacks follow
//	              → delivered, whatsapp
//
// A number that isn't 7 to 15 digits, or that begins with 0, is accepted, as
// the vendor does, and fails with 3101 on every channel.
//
// # Other cascades
//
// "WhatsApp" in the table is the first channel of the request, whichever it is,
// and "SMS" the second and every later one. Without a second channel the
// failure of the first is the message's: 3003. Only WhatsApp, RCS and Viber
// tell that a message was read. A channel that the request has nothing to say
// on fails at once: 3306 without a template, 3305 without a parameter that a
// predefined template needs, 3100 for a channel that doesn't exist; the next
// one is tried.
//
// # Files
//
// With [Options].FetchFiles the file of a message over WhatsApp is fetched, as
// WhatsApp would; if that fails the channel does, with 3035 or 3061, and the
// next one is tried.
//
// # Time
//
// With [Options].Speed 1, a channel has the message after 1 s, WhatsApp delivers
// after 2 to 5 s more, SMS after 5 s, reading takes 10 s, a time-out takes the
// request's fallback_time (300 s when it has none), and a failed callback is
// tried again after 5, 10 and 15 s. Speed scales all of these, and nothing else:
// dates, the rate, the life of a reference and the time that a listener has for
// its answer are real. A story begins when the POST is over: answered, reset, or
// given up by the client.
//
// # Inspection
//
// Outside the vendor's paths, and without authentication, are GET /healthz,
// /readyz, /simulator/log?after=N (the accepted messages after the N-th, one
// JSON object a line) and /simulator/stats. The log has phone numbers: listen
// on a loopback address. A refusal says why in the header X-Simulator-Reason.
//
// POST /simulator/inbound lets a recipient write to the account, as
// [Simulator.Receive] does: an [Inbound] in JSON.
package simulator
