// Package telesign is the vendor's language: the request and the answer of
// Telesign's Messaging (omnichannel) API, its status codes, its two ways to
// sign a request, and the receipts it sends back.
//
//	Message ──Encode──▶ Client.Send ──▶ POST /v1/omnichannel ──▶ Accepted | *Error
//	                    Client.Status ─▶ GET  /v1/omnichannel/{reference} ─▶ Receipt | *Error
//	callback ──Verifier.Verify──▶ ParseReceipt ──▶ Receipt
//
// It promises:
//
//   - One call of [Client.Send] is at most one POST on the wire. Telesign has
//     no idempotency key, so a repeated POST is a second message; nothing here,
//     and nothing in net/http below, ever repeats it or follows a redirect.
//   - Every failure carries a [Class]: [Refused], [Later] (certainly not sent)
//     or [Unknown] (may have been sent). Whatever cannot be shown not to have
//     been sent is Unknown.
//   - No error text holds a phone number, a key, a header or a message.
//   - Receipts are read liberally: a missing field, an odd type, an unknown
//     code or a bad timestamp never rejects one.
//   - Requests are written strictly, and the same Message is always the same
//     bytes.
//
// It must never retry, wait for a rate, log, start a goroutine, read
// configuration or remember anything between two calls.
//
// The facts come from Telesign's pages at developer.telesign.com/enterprise
// (reference: sendadvancedmessage, getmessagingstatus; docs:
// messaging-callback-service, transaction-callback-service,
// authenticate-callbacks, authentication, all-status-and-error-codes), from its
// guide "Messaging - Send file attachment with WhatsApp", and from the tests of
// its SDKs. Where two of them disagree, the comment beside the code says so.
package telesign
