package simulator

import (
	"strings"

	"github.com/handout-dev/handout/telesign"
)

// The codes that only the vendor's side needs a name for (docs:
// all-status-and-error-codes; reference: sendadvancedmessage, getmessagingstatus).
const (
	codePhoneError       telesign.Code = 3031
	codeExpired          telesign.Code = 3033
	codePollUnavailable  telesign.Code = 3041 // "System unavailable", in a status query alone
	codeBadContent       telesign.Code = 3035
	codeNoSuchUser       telesign.Code = 3055
	codeMediaSize        telesign.Code = 3061
	codeUnknownChannel   telesign.Code = 3100
	codeBadPhone         telesign.Code = 3101
	codeBadMessageType   telesign.Code = 3102
	codeBadExternalID    telesign.Code = 3103
	codeBadEvent         telesign.Code = 3104
	codeBadIP            telesign.Code = 3105
	codeBadCallbackURL   telesign.Code = 3106
	codeInvalid          telesign.Code = 3110
	codeNoTemplate       telesign.Code = 3112
	codeBadChannels      telesign.Code = 3113
	codeNoWindow         telesign.Code = 3114
	codeNoCallbackURL    telesign.Code = 3203
	codeNoChannels       telesign.Code = 3300
	codeNoChannel        telesign.Code = 3301
	codeNoPhone          telesign.Code = 3302
	codeNoMessage        telesign.Code = 3303
	codeNoMessageType    telesign.Code = 3304
	codeNoTemplateParams telesign.Code = 3305
	codeNoMessageParams  telesign.Code = 3306
	codeBadReference     telesign.Code = 3311
	codeUnknown          telesign.Code = 3999 // in no table of the vendor's
)

// describe is the vendor's text with the value where it has a placeholder:
// "Unsupported value for parameter external_id: {external_id}".
func describe(code telesign.Code, value string) string {
	text := code.Text()
	before, rest, found := strings.Cut(text, "{")
	if !found {
		return text
	}
	_, after, _ := strings.Cut(rest, "}")
	return before + value + after
}
