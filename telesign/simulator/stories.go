package simulator

import (
	"net/http"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// The answers with which some stories begin.
var (
	rateLimited = answerCode{http.StatusTooManyRequests, telesign.CodeRateLimited}
	unavailable = answerCode{http.StatusServiceUnavailable, telesign.CodeUnavailable}
)

// The table: endings, name, what happens, and how it ends. About half of all endings
// are delivered through WhatsApp, a fifth through the SMS fallback, and every surprise
// has one. README.md shows the same table; a test compares them.
var stories = []Story{
	story("00-34", "delivered", "WhatsApp delivers", "delivered", "whatsapp", script{}),
	story("35-49", "read", "WhatsApp delivers, then it is read (3005)", "delivered", "whatsapp", script{first: part{act: reads}}),
	story("50-57, 98-99", "fallback after time-out", "WhatsApp times out (3056), SMS delivers", "delivered", "sms", script{first: part{act: timesOut}}),
	story("58-63", "not on WhatsApp", "WhatsApp fails at once (3055), SMS delivers", "delivered", "sms", script{first: failing(codeNoSuchUser)}),
	story("64-66", "no conversation window", "WhatsApp refuses the template (3114), SMS delivers", "delivered", "sms", script{first: failing(codeNoWindow)}),
	story("67-68", "both", "WhatsApp times out (3056), SMS delivers, then WhatsApp delivers after all", "delivered", "both", script{first: part{act: late}}),
	story("69", "both fail", "WhatsApp times out (3056), SMS expires (3033): 3003", "failed", "", script{first: part{act: timesOut}, rest: failing(codeExpired)}),
	story("70", "phone error", "WhatsApp fails at once (3055), SMS finds a permanent phone error (3031): 3003", "failed", "", script{first: failing(codeNoSuchUser), rest: failing(codePhoneError)}),
	story("71", "silent", "WhatsApp delivers, no callback ever; only the status query knows", "delivered", "whatsapp", script{receipts: never}),
	story("72", "vanished", "no callback ever, and the status query doesn't know the reference (404/-10004)", "unconfirmed", "", script{receipts: never, unpollable: true}),
	story("73", "early", "every callback comes before the POST's answer", "delivered", "whatsapp", script{receipts: beforeAnswer}),
	story("74", "early without external_id", "every callback comes before the POST's answer, with external_id null", "delivered", "whatsapp", script{receipts: beforeAnswer, external: null}),
	story("75", "duplicated", "every callback comes three times", "delivered", "whatsapp", script{receipts: thrice}),
	story("76", "reordered", "the final callback comes first, then 3002, then 3001", "delivered", "whatsapp", script{receipts: finalFirst}),
	story("77", "external_id null", "callbacks have external_id null", "delivered", "whatsapp", script{external: null}),
	story("78", "external_id absent", "callbacks have no external_id", "delivered", "whatsapp", script{external: absent}),
	story("79", `external_id "null"`, `callbacks have the string "null" as external_id`, "delivered", "whatsapp", script{external: quotedNull}),
	story("80", "timestamp with a colon", "callbacks are dated like 2020-05-04 22:07:01:226", "delivered", "whatsapp", script{stamp: colonStamp}),
	story("81", "timestamp without a zone", "callbacks are dated like 2020-05-04 22:05:00.325", "delivered", "whatsapp", script{stamp: zonelessStamp}),
	story("82", "timestamp as documented", "callbacks are dated like 2024-11-12T13:08:37.000000Z, as everywhere else", "delivered", "whatsapp", script{}),
	story("83", "timestamp of HTTP", "callbacks are dated like Thu, 23 Jun 2022 19:03:44 GMT", "delivered", "whatsapp", script{stamp: httpStamp}),
	story("84", "timestamp of month 31", "callbacks are dated like 2022-31-03T14:51:28.709526Z", "delivered", "whatsapp", script{stamp: month31Stamp}),
	story("85", "answer held", "accepted, the answer never comes; callbacks follow when the client has gone", "delivered", "whatsapp", script{answer: held}),
	story("86", "connection reset", "accepted, the connection is reset; callbacks follow", "delivered", "whatsapp", script{answer: reset}),
	story("87", "server error", "accepted, the answer is a 500 without a documented body; callbacks follow", "delivered", "whatsapp", script{answer: serverError}),
	story("88", "in doubt", "accepted, the connection is reset, no callback ever", "in_doubt", "", script{answer: reset, receipts: never}),
	story("89", "unavailable at first", "the number's first two POSTs get 503/3500, then WhatsApp delivers", "delivered", "whatsapp", script{refuses: 2, refusal: unavailable}),
	story("90", "rate limited at first", "once in 500 messages: the number's first two POSTs get 429/3204, then WhatsApp delivers", "delivered", "whatsapp", script{refuses: 2, refusal: rateLimited}),
	story("91", "rate limited with Retry-After", "once in 500 messages: the number's first two POSTs get 429/3204 with Retry-After: 1, then WhatsApp delivers", "delivered", "whatsapp", script{refuses: 2, refusal: rateLimited, retryAfter: time.Second}),
	story("92", "refused", "every POST gets 400/3113", "refused", "", script{refuses: always, refusal: answerCode{http.StatusBadRequest, codeBadChannels}}),
	story("93", "blocked", "the subscriber has blocked us: 3046 on both channels, 3003", "failed", "", script{first: failing(telesign.CodeBlockedByUser), rest: failing(telesign.CodeBlockedByUser)}),
	story("94", "unproven", "WhatsApp fails at once (3055), SMS is sent and never confirmed (3004)", "unconfirmed", "", script{first: failing(codeNoSuchUser), rest: part{act: fades}}),
	story("95", "unknown code", "WhatsApp brings code 3999, which isn't documented, then delivers", "delivered", "whatsapp", script{first: part{act: puzzles, code: codeUnknown}}),
	story("96", "another channel", "WhatsApp fails at once (3055), RCS delivers, which wasn't asked for", "delivered", "other", script{first: part{act: detours, code: codeNoSuchUser}}),
	story("97", "unreadable answer", "accepted, the answer is a 200 with half a body; callbacks follow", "delivered", "whatsapp", script{answer: unreadable}),
}

func story(digits, name, doc, state, deliveredBy string, sc script) Story {
	return Story{
		Name: name, Digits: digits, Doc: doc, ExpectedState: state, ExpectedDeliveredBy: deliveredBy,
		Read: sc.first.act == reads, NeedsPolling: sc.receipts == never && state == "delivered", script: sc,
	}
}
