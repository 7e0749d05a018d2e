package simulator

import (
	"slices"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// script is a story for the machine. The zero value is "WhatsApp delivers".
type script struct {
	first part // the first channel's
	rest  part // every other channel's, if it comes to it

	receipts   receipts
	external   external
	stamp      stamp
	answer     answer
	refuses    int        // how many POSTs for a number are refused first
	refusal    answerCode // with this
	retryAfter time.Duration
	unpollable bool
}

// always is more refusals than any client waits for.
const always = 1 << 30

// part is what one channel does with the message.
type part struct {
	act  act
	code telesign.Code
}

type act uint8

const (
	delivers act = iota
	reads        // delivers, then 3005 where the channel knows it
	fails        // with the code, at once
	timesOut     // 3056 when the fallback time is over
	late         // times out, and delivers when all the others are through
	fades        // 3004, and nothing more
	puzzles      // an unknown code, then delivers
	detours      // fails with the code; a channel delivers that wasn't asked for
)

func failing(code telesign.Code) part { return part{act: fails, code: code} }

// receipts is how the callbacks of a message come.
type receipts uint8

const (
	inOrder receipts = iota
	never
	thrice
	finalFirst
	beforeAnswer
)

// external is what callbacks say for external_id.
type external uint8

const (
	echoed external = iota // as in the request; null if it had none
	null
	absent
	quotedNull
)

// answer is what the POST of an accepted message gets.
type answer uint8

const (
	plain answer = iota
	held
	reset
	serverError
	unreadable
)

// The simulated times. The vendor documents none but the fallback time; these
// are those of an uneventful day.
const (
	toGateway     = 1 * time.Second  // until a channel has the message, or has failed
	toWhatsApp    = 2 * time.Second  // and up to 3 more, by the number's third digit from the end
	toTextMessage = 5 * time.Second  //
	toReading     = 10 * time.Second // after the delivery
	toLate        = 5 * time.Second  // after the last of the other channels
)

// leg is one channel of a request's cascade.
type leg struct {
	channel  string
	fallback time.Duration
	fault    telesign.Code // 0, or why the channel will fail: the request lacks something
	file     string        // the address of what WhatsApp is to show, if anything
	document bool          // which has to be a document
}

// moment is what is true of a message from a point in simulated time on, which
// is counted from the end of the POST.
type moment struct {
	at   time.Duration
	code telesign.Code
	last string // the channel tried last
	legs []legState
}

type legState struct {
	channel string
	code    telesign.Code
	at      time.Duration
}

// call is one callback: its time, and the moment that it reports.
type call struct {
	at     time.Duration
	moment int
}

// plan is everything that will happen to a message. It depends on the story,
// the cascade and the number's jitter alone, so messages share it.
type plan struct {
	moments []moment
	before  []call // before the POST's answer
	after   []call
}

// at is what is true at a time.
func (p *plan) at(t time.Duration) moment {
	now := p.moments[0]
	for _, m := range p.moments[1:] {
		if m.at > t {
			break
		}
		now = m
	}
	return now
}

// perform plays a script on a cascade.
func perform(sc *script, legs []leg, jitter time.Duration) *plan {
	b := stage{legs: legs, jitter: jitter}
	b.note(legs[0].channel, telesign.CodeInProgress)
	b.tell(telesign.CodeInProgress, false)
	straggler := -1
	ended := false
	for i, l := range legs {
		p := sc.rest
		if i == 0 {
			p = sc.first
		}
		if l.fault != 0 {
			p = failing(l.fault)
		}
		if p.act == late {
			straggler = i
		}
		if ended = b.play(p, l); ended {
			break
		}
	}
	if !ended {
		// Not a moment of its own: the last channel's failure is the whole one's.
		b.moments[len(b.moments)-1].code = telesign.CodeDeliveryError
		b.reported[len(b.reported)-1] = true
	}
	if straggler >= 0 {
		b.now += toLate
		b.note(legs[straggler].channel, telesign.CodeDelivered)
		b.tell(telesign.CodeDelivered, true)
	}
	return b.plan(sc.receipts)
}

// stage is where a script is played: the state so far and which moments were reported.
type stage struct {
	legs     []leg
	jitter   time.Duration
	now      time.Duration
	state    moment
	moments  []moment
	reported []bool // by a callback, for each moment
}

// play plays one channel. It says whether the message ends here.
func (b *stage) play(p part, l leg) bool {
	if p.act == fails || p.act == detours {
		// Whether the vendor waits for the fallback time after a hard failure
		// isn't documented; its notes on 31xx codes suggest that it doesn't.
		b.now += toGateway
		b.note(l.channel, p.code)
		b.tell(b.state.code, false)
		if p.act == detours {
			return b.play(part{act: delivers}, leg{channel: b.unasked()})
		}
		return false
	}
	start := b.now
	b.now += toGateway
	first := telesign.CodeAtGateway
	if p.act == puzzles {
		first = p.code
	}
	b.note(l.channel, first)
	b.tell(first, true)
	switch p.act {
	case timesOut, late:
		b.now = start + l.fallback
		b.note(l.channel, telesign.CodeTimedOut)
		b.tell(b.state.code, false)
		return false
	case fades:
		b.now += toTextMessage
		b.note(l.channel, telesign.CodeProbablyDelivered)
		b.tell(telesign.CodeProbablyDelivered, true)
		return true
	}
	if l.channel == "sms" {
		b.now += toTextMessage
	} else {
		b.now += toWhatsApp + b.jitter
	}
	b.note(l.channel, telesign.CodeDelivered)
	b.tell(telesign.CodeDelivered, true)
	if p.act == reads && knowsReading(l.channel) {
		b.now += toReading
		b.note(l.channel, telesign.CodeRead)
		b.tell(telesign.CodeRead, true)
	}
	return true
}

// note sets what is known of one channel.
func (b *stage) note(channel string, code telesign.Code) {
	b.state.last = channel
	b.state.legs = slices.Clone(b.state.legs) // earlier moments keep theirs
	for i := range b.state.legs {
		if b.state.legs[i].channel == channel {
			b.state.legs[i].code, b.state.legs[i].at = code, b.now
			return
		}
	}
	b.state.legs = append(b.state.legs, legState{channel, code, b.now})
}

// tell makes the state a moment, with a callback or without.
func (b *stage) tell(code telesign.Code, aloud bool) {
	b.state.code, b.state.at = code, b.now
	b.moments = append(b.moments, b.state)
	b.reported = append(b.reported, aloud)
}

// unasked is a channel that the cascade doesn't have.
func (b *stage) unasked() string {
	for _, channel := range []string{"rcs", "viber", "mms"} {
		if !slices.ContainsFunc(b.legs, func(l leg) bool { return l.channel == channel }) {
			return channel
		}
	}
	return "email"
}

func knowsReading(channel string) bool {
	return channel == "whatsapp" || channel == "rcs" || channel == "viber"
}

// plan settles which callbacks go out, and when.
func (b *stage) plan(how receipts) *plan {
	p := &plan{moments: b.moments}
	var calls []call
	for i, aloud := range b.reported {
		if aloud {
			calls = append(calls, call{b.moments[i].at, i})
		}
	}
	switch how {
	case inOrder:
		p.after = calls
	case never:
	case beforeAnswer:
		p.before = calls
	case thrice:
		for _, c := range calls {
			p.after = append(p.after, c, c, c)
		}
	case finalFirst:
		end := calls[len(calls)-1].at
		for _, c := range slices.Backward(calls) {
			p.after = append(p.after, call{end, c.moment})
		}
		p.after = append(p.after, call{end, 0})
	}
	return p
}
