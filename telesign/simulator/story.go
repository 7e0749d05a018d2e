package simulator

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Story is what happens to every message for the phone numbers with certain
// endings. The expected outcome is the truth of the story for a request that
// asks for WhatsApp first and SMS second and is right in every other way, as seen by
// someone who takes every receipt and asks for the status when none comes.
type Story struct {
	// Name is short and stable; logs and statistics use it.
	Name string
	// Digits are the last two digits of the phone numbers, as in "60-63, 98".
	Digits string
	// Doc says what happens, in a sentence.
	Doc string

	// ExpectedState is what a message ends as when every request is made once
	// more after an answer that promises that nothing was sent, and never after
	// any other: delivered, failed, refused, in_doubt or unconfirmed.
	ExpectedState string
	// ExpectedDeliveredBy is whatsapp, sms, both or other; empty if not delivered.
	ExpectedDeliveredBy string
	// Read says that the message is read in the end.
	Read bool
	// NeedsPolling says that only the status query knows the outcome: without
	// it the message ends as unconfirmed.
	NeedsPolling bool

	script script
}

// Endings are the story's endings one by one, two digits each.
func (s Story) Endings() []string {
	var all []string
	for part := range strings.SplitSeq(s.Digits, ", ") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, _ := strconv.Atoi(first)
		to, err := strconv.Atoi(last)
		for n := from; n <= to && err == nil; n++ { // the story of malformed numbers has no digits
			all = append(all, fmt.Sprintf("%02d", n))
		}
	}
	return all
}

// Stories are all stories, in the order of their endings. Together they have
// every ending exactly once.
func Stories() []Story { return append([]Story(nil), stories...) }

// StoryOf is the story of a phone number, or of an e-mail address by the last two digits
// before its @; without them it is that of 00. A number that isn't one has a story
// too, "bad number", which isn't among Stories: the vendor accepts it and fails
// every channel later.
func StoryOf(phone string) Story { return *storyAt(storyIndex(phone)) }

// badNumberIndex is the index of the story that stands outside the table.
const badNumberIndex = 255

// goodPhone is a phone number with its country code: ITU-T E.164 allows 15 digits;
// below 7 there is no country where it could be one, and no country code begins with 0.
var goodPhone = regexp.MustCompile(`^[1-9][0-9]{6,14}$`)

func storyIndex(phone string) uint8 {
	if local, _, ok := strings.Cut(phone, "@"); ok {
		end := local[max(0, len(local)-2):]
		n, err := strconv.ParseUint(end, 10, 8)
		if err != nil || len(end) < 2 {
			n = 0
		}
		return byEnding[n]
	}
	if !goodPhone.MatchString(phone) {
		return badNumberIndex
	}
	tens, ones := phone[len(phone)-2]-'0', phone[len(phone)-1]-'0'
	return byEnding[10*tens+ones]
}

func storyAt(i uint8) *Story {
	if i == badNumberIndex {
		return &badNumber
	}
	return &stories[i]
}

var byEnding = func() (table [100]uint8) {
	for i, s := range stories {
		for _, ending := range s.Endings() {
			n, _ := strconv.Atoi(ending)
			table[n] = uint8(i)
		}
	}
	return table
}()

var badNumber = Story{
	Name: "bad number", Doc: "accepted; every channel fails with 3101",
	ExpectedState: "failed",
	script:        script{first: failing(codeBadPhone), rest: failing(codeBadPhone)},
}
