package telesign

import (
	"context"
	"errors"
	"net/http"
)

const opCapability = "capability"

// The answers to a capability check.
const (
	CodeCapable        Code = 3060
	CodeIncapable      Code = 3055
	codeOldIncapable   Code = 516
	CodeNoCapabilities Code = 3210 // the check isn't enabled for the account
)

// Capable asks whether a phone number, digits only, can take messages of a channel,
// GET /capability/{channel}/{phone_number}. Telesign has the check for [ChannelRCS]
// alone, and not for every account ([CodeNoCapabilities]).
//
// Every error is an *[Error]: Later to ask again, Refused when that is no use.
func (c *Client) Capable(ctx context.Context, channel, number string) (bool, error) {
	if !pathSafe(channel) || !pathSafe(number) {
		return false, &Error{Class: Refused, Op: opCapability, Err: errors.New("no number")}
	}
	a, err := c.exchange(ctx, http.MethodGet, c.url.JoinPath("..", "..", "capability", channel, number), nil, maxAnswer)
	switch {
	case err != nil:
		return false, &Error{Class: Later, Op: opCapability, Err: err}
	case a.code == CodeCapable:
		return true, nil
	case a.code == CodeIncapable, a.code == codeOldIncapable: // with whichever HTTP status: it isn't documented
		return false, nil
	case !a.ok():
		return false, judgeQuery(opCapability, a)
	case a.err == nil:
		a.err = errAnswerUnread
	}
	return false, &Error{Class: Refused, Op: opCapability, HTTPStatus: a.status, Code: a.code, Err: a.err}
}
