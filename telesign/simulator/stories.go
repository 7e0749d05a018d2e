package simulator

import (
	"net/http"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// The table. About half of all endings are delivered through WhatsApp, a fifth
// through the SMS fallback, and every surprise has one. doc.go and README.md
// show the same table; a test compares them.
var stories = []Story{
	{
		Name: "delivered", Digits: "00-34", Doc: "WhatsApp delivers",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
	},
	{
		Name: "read", Digits: "35-49", Doc: "WhatsApp delivers, then it is read (3005)",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp", Read: true,
		script: script{first: part{act: reads}},
	},
	{
		Name: "fallback after time-out", Digits: "50-57, 98-99", Doc: "WhatsApp times out (3056), SMS delivers",
		ExpectedState: "delivered", ExpectedDeliveredBy: "sms",
		script: script{first: part{act: timesOut}},
	},
	{
		Name: "not on WhatsApp", Digits: "58-63", Doc: "WhatsApp fails at once (3055), SMS delivers",
		ExpectedState: "delivered", ExpectedDeliveredBy: "sms",
		script: script{first: failing(codeNoSuchUser)},
	},
	{
		Name: "no conversation window", Digits: "64-66", Doc: "WhatsApp refuses the template (3114), SMS delivers",
		ExpectedState: "delivered", ExpectedDeliveredBy: "sms",
		script: script{first: failing(codeNoWindow)},
	},
	{
		Name: "both", Digits: "67-68", Doc: "WhatsApp times out (3056), SMS delivers, then WhatsApp delivers after all",
		ExpectedState: "delivered", ExpectedDeliveredBy: "both",
		script: script{first: part{act: late}},
	},
	{
		Name: "both fail", Digits: "69", Doc: "WhatsApp times out (3056), SMS expires (3033): 3003",
		ExpectedState: "failed",
		script:        script{first: part{act: timesOut}, rest: failing(codeExpired)},
	},
	{
		Name: "phone error", Digits: "70", Doc: "WhatsApp fails at once (3055), SMS finds a permanent phone error (3031): 3003",
		ExpectedState: "failed",
		script:        script{first: failing(codeNoSuchUser), rest: failing(codePhoneError)},
	},
	{
		Name: "silent", Digits: "71", Doc: "WhatsApp delivers, no callback ever; only the status query knows",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp", NeedsPolling: true,
		script: script{receipts: never},
	},
	{
		Name: "vanished", Digits: "72", Doc: "no callback ever, and the status query doesn't know the reference (404/-10004)",
		ExpectedState: "unconfirmed",
		script:        script{receipts: never, unpollable: true},
	},
	{
		Name: "early", Digits: "73", Doc: "every callback comes before the POST's answer",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{receipts: beforeAnswer},
	},
	{
		Name: "early without external_id", Digits: "74", Doc: "every callback comes before the POST's answer, with external_id null",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{receipts: beforeAnswer, external: null},
	},
	{
		Name: "duplicated", Digits: "75", Doc: "every callback comes three times",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{receipts: thrice},
	},
	{
		Name: "reordered", Digits: "76", Doc: "the final callback comes first, then 3002, then 3001",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{receipts: finalFirst},
	},
	{
		Name: "external_id null", Digits: "77", Doc: "callbacks have external_id null",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{external: null},
	},
	{
		Name: "external_id absent", Digits: "78", Doc: "callbacks have no external_id",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{external: absent},
	},
	{
		Name: `external_id "null"`, Digits: "79", Doc: `callbacks have the string "null" as external_id`,
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{external: quotedNull},
	},
	{
		Name: "timestamp with a colon", Digits: "80", Doc: "callbacks are dated like 2020-05-04 22:07:01:226",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{stamp: colonStamp},
	},
	{
		Name: "timestamp without a zone", Digits: "81", Doc: "callbacks are dated like 2020-05-04 22:05:00.325",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{stamp: zonelessStamp},
	},
	{
		Name: "timestamp as documented", Digits: "82", Doc: "callbacks are dated like 2024-11-12T13:08:37.000000Z, as everywhere else",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
	},
	{
		Name: "timestamp of HTTP", Digits: "83", Doc: "callbacks are dated like Thu, 23 Jun 2022 19:03:44 GMT",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{stamp: httpStamp},
	},
	{
		Name: "timestamp of month 31", Digits: "84", Doc: "callbacks are dated like 2022-31-03T14:51:28.709526Z",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{stamp: month31Stamp},
	},
	{
		Name: "answer held", Digits: "85", Doc: "accepted, the answer never comes; callbacks follow when the client has gone",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{answer: held},
	},
	{
		Name: "connection reset", Digits: "86", Doc: "accepted, the connection is reset; callbacks follow",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{answer: reset},
	},
	{
		Name: "server error", Digits: "87", Doc: "accepted, the answer is a 500 without a documented body; callbacks follow",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{answer: serverError},
	},
	{
		Name: "in doubt", Digits: "88", Doc: "accepted, the connection is reset, no callback ever",
		ExpectedState: "in_doubt",
		script:        script{answer: reset, receipts: never},
	},
	{
		Name: "unavailable at first", Digits: "89", Doc: "the number's first two POSTs get 503/3500, then WhatsApp delivers",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{refuses: 2, refusal: answerCode{http.StatusServiceUnavailable, telesign.CodeUnavailable}},
	},
	{
		Name: "rate limited at first", Digits: "90", Doc: "the number's first two POSTs get 429/3204, then WhatsApp delivers",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{refuses: 2, refusal: answerCode{http.StatusTooManyRequests, telesign.CodeRateLimited}},
	},
	{
		Name: "rate limited with Retry-After", Digits: "91", Doc: "the number's first two POSTs get 429/3204 with Retry-After: 1, then WhatsApp delivers",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{refuses: 2, refusal: answerCode{http.StatusTooManyRequests, telesign.CodeRateLimited}, retryAfter: time.Second},
	},
	{
		Name: "refused", Digits: "92", Doc: "every POST gets 400/3113",
		ExpectedState: "refused",
		script:        script{refuses: always, refusal: answerCode{http.StatusBadRequest, codeBadChannels}},
	},
	{
		Name: "blocked", Digits: "93", Doc: "the subscriber has blocked us: 3046 on both channels, 3003",
		ExpectedState: "failed",
		script:        script{first: failing(telesign.CodeBlockedByUser), rest: failing(telesign.CodeBlockedByUser)},
	},
	{
		Name: "unproven", Digits: "94", Doc: "WhatsApp fails at once (3055), SMS is sent and never confirmed (3004)",
		ExpectedState: "unconfirmed",
		script:        script{first: failing(codeNoSuchUser), rest: part{act: fades}},
	},
	{
		Name: "unknown code", Digits: "95", Doc: "WhatsApp brings code 3999, which isn't documented, then delivers",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{first: part{act: puzzles, code: codeUnknown}},
	},
	{
		Name: "another channel", Digits: "96", Doc: "WhatsApp fails at once (3055), RCS delivers, which wasn't asked for",
		ExpectedState: "delivered", ExpectedDeliveredBy: "other",
		script: script{first: part{act: detours, code: codeNoSuchUser}},
	},
	{
		Name: "unreadable answer", Digits: "97", Doc: "accepted, the answer is a 200 with half a body; callbacks follow",
		ExpectedState: "delivered", ExpectedDeliveredBy: "whatsapp",
		script: script{answer: unreadable},
	},
}
