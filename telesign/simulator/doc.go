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
// settled by its phone number and its cascade alone, never by chance; only the two
// stories that stop all sends happen once in 500 messages. It must
// never be more forgiving than the vendor, and it has no way to send anything
// to a person.
//
// # Stories
//
// The last two digits of the phone number choose what happens to the message:
// README.md and stories.go have the table.
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
// [Simulator.Receive] does: an [Inbound] in JSON. PUT /simulator/templates sets the
// account's templates, and POST changes one, as [Simulator.SetTemplates] and
// [Simulator.ChangeTemplate] do.
package simulator
