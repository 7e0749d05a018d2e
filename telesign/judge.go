package telesign

import "net/http"

// judgeSend makes the error of a POST whose answer is not "3001, in progress".
//
//	answer                                     class    also
//	2xx without 3001, or unreadable            Unknown
//	3204, 3205                                 Later    Throttled
//	3500                                       Later
//	3203, 3206, 3400 to 3413, 3006, …          Refused  Account
//	3102 to 3110, 3300 to 3304, …              Refused
//	3000, 3001, 3002, … without 2xx            Unknown
//	3101, 3112, 3046, … with 4xx               Refused
//	an unknown code with 4xx                   as below, Refused instead of Unknown
//	no code: 400, 413, 414, 422                Refused
//	no code: 401 to 405, 407, 415              Refused  Account
//	no code: 429                               Later    Throttled
//	no code: 3xx                               Unknown  Account
//	anything else                              Unknown
//
// The code comes first, as Telesign asks: HTTP 429 is a rate limit with 3204, a
// setting of the account with 3203.
func judgeSend(a answer) *Error {
	e := a.toError(opSend)
	e.Written = true
	switch kind := a.code.Kind(); {
	case a.ok():
		// Something was taken, but not in the words that were promised.
		e.Class = Unknown
		if e.Err == nil && a.code == 0 {
			e.Err = errAnswerUnread
		}
	case e.judgeKind(kind):
	case kind.taken():
		// A refusal that says "taken" contradicts itself.
		e.Class = Unknown
	case kind == KindFailed && a.status/100 == 4:
		e.Class = Refused
	case a.code != 0 && a.status/100 == 4:
		e.judgeHTTP()
		if e.Class == Unknown {
			e.Class = Refused
		}
	default:
		e.judgeHTTP()
	}
	return e.keepRetryAfter(a)
}

// judgeQuery makes the error of a GET whose answer is not what was asked for.
// Nothing was sent, so the only question is whether to ask again.
func judgeQuery(op string, a answer) *Error {
	e := a.toError(op)
	switch {
	case e.judgeKind(a.code.Kind()):
	case a.status == http.StatusTooManyRequests:
		e.Class, e.Throttled = Later, true
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		e.Class, e.Account = Refused, true
	case a.status/100 == 4 && a.status != http.StatusRequestTimeout:
		e.Class = Refused
	default:
		// Also 503 with 3041, which is "System unavailable" here, and whatever
		// a proxy says.
		e.Class = Later
	}
	return e.keepRetryAfter(a)
}

// toError starts an error with what the answer said.
func (a answer) toError(op string) *Error {
	return &Error{Op: op, HTTPStatus: a.status, Code: a.code, Description: describe(a.description), Err: a.err}
}

// judgeKind judges by the kinds of code that are documented to mean "not
// processed", and reports whether this is one of them.
func (e *Error) judgeKind(k Kind) bool {
	switch k {
	case KindThrottled:
		e.Class, e.Throttled = Later, true
	case KindUnavailable:
		e.Class = Later
	case KindAccount:
		e.Class, e.Account = Refused, true
	case KindRequest:
		e.Class = Refused
	default:
		return false
	}
	return true
}

// taken reports whether a code of this kind says that the message was taken.
func (k Kind) taken() bool {
	switch k {
	case KindProgress, KindGateway, KindProbable, KindTimedOut, KindDelivered, KindRead, KindUnconfirmed:
		return true
	}
	return false
}

// judgeHTTP judges a POST by its HTTP status alone, for an answer without a
// code: from a proxy, or with a body that was lost.
func (e *Error) judgeHTTP() {
	switch e.HTTPStatus {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge,
		http.StatusRequestURITooLong, http.StatusUnprocessableEntity:
		e.Class = Refused
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden,
		http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired,
		http.StatusUnsupportedMediaType:
		// About the key, the address or the road to it: the next message would
		// meet the same.
		e.Class, e.Account = Refused, true
	case http.StatusTooManyRequests:
		// A rate is limited before the work is done.
		e.Class, e.Throttled = Later, true
	default:
		e.Class = Unknown
		// A redirect is most likely a wrong address, but some servers redirect
		// after having done the work. The message is in doubt, and the next
		// one would be too.
		e.Account = e.HTTPStatus/100 == 3
	}
}

// keepRetryAfter keeps the wait that was asked for, if waiting is of any use.
func (e *Error) keepRetryAfter(a answer) *Error {
	if e.Class == Later {
		e.RetryAfter = a.retryAfter
	}
	return e
}
