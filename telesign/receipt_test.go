package telesign_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign"
)

// guideReceipt is the callback of Telesign's guide "Messaging - Send file
// attachment with WhatsApp".
const guideReceipt = `{"reference_id":"35C8B5D509BC10689196FED2AD551B8A","external_id":"null","status":{"code":3000,"description":"Delivered","last_channel":"sms","updated_on":"2020-05-04 22:07:01:226"},"channel_status":[{"whatsapp":{"code":3056,"description":"Message failed to deliver in specified fallback time","reference_id":"65C77D4A6C5C09085694EFB6C554D2BF","updated_on":"2020-05-04 22:05:00.325"}},{"sms":{"code":3000,"description":"Delivered","reference_id":"65C77D4A6C5C09085694EFB6C558B4C7","updated_on":"2020-05-04 22:07:01:226"}}]}`

// queryReceipt is the answer of the reference page getmessagingstatus.
const queryReceipt = `{"status":{"updated_on":"2024-11-12T13:08:37.000000Z","code":3000,"description":"Delivered","last_channel":"whatsapp"},"reference_id":"364C81F5F3D0020C91E7A731DE93A777","currency":"USD","price":"0.0050","additional_info":{"mcc":"310","mnc":"012"},"channel_status":[{"viber":{"code":3112,"description":"Specified template does not exist for selected channel","reference_id":"364C81F5F40C0120923096EEAF73053E","updated_on":"2024-11-12T13:08:35.212526Z"}},{"whatsapp":{"code":3000,"description":"Delivered","reference_id":"364C81F5F46402189211BDE408330A86","updated_on":"2024-11-12T13:08:37.000000Z"}}],"verify":{"code_entered":"50361","code_state":"VALID"}}`

func TestParseReceipt_ReadsTelesignsExamples(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		want telesign.Receipt
	}{
		"the guide's callback": {guideReceipt, telesign.Receipt{
			Reference: "35C8B5D509BC10689196FED2AD551B8A",
			Status:    telesign.Status{Code: 3000, LastChannel: "sms", At: time.Date(2020, 5, 4, 22, 7, 1, 226e6, time.UTC)},
			Legs:      []telesign.Leg{{Channel: "whatsapp", Code: 3056}, {Channel: "sms", Code: 3000}},
		}},
		"the reference's answer to a query": {queryReceipt, telesign.Receipt{
			Reference: "364C81F5F3D0020C91E7A731DE93A777",
			Status:    telesign.Status{Code: 3000, LastChannel: "whatsapp", At: time.Date(2024, 11, 12, 13, 8, 37, 0, time.UTC)},
			Legs:      []telesign.Leg{{Channel: "viber", Code: 3112}, {Channel: "whatsapp", Code: 3000}},
		}},
		"an inbound SMS": {
			`{"reference_id":"AB","status":{"code":1500},"sub_resource":"mo_sms","errors":{},"user_response":{"sender_id":"55555","action":"stop","phone_number":"+1 555 867 5309"}}`,
			telesign.Receipt{
				Reference: "AB", Status: telesign.Status{Code: 1500}, Inbound: true,
				Reply: telesign.Reply{Phone: phone, Action: "STOP"},
			},
		},
		"an inbound WhatsApp message": {
			`{"reference_id":"AB","status":{"code":1500},"phone_number":"15558675309","waba_phone_number":"15550000000","content":{"type":"text","end_user_action":{"action":"HELP","postback_data\t":"x","original_reference_id":"cd01"}}}`,
			telesign.Receipt{
				Reference: "AB", Status: telesign.Status{Code: 1500}, Inbound: true,
				Reply: telesign.Reply{Phone: phone, Action: "HELP", OriginalReference: "CD01"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, parse(t, tt.body)); diff != "" {
				t.Errorf("receipt (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseReceipt_TakesOddShapes(t *testing.T) {
	t.Parallel()
	leg := func(channel string, code telesign.Code) telesign.Leg {
		return telesign.Leg{Channel: channel, Code: code}
	}
	tests := []struct {
		name, body string
		want       telesign.Receipt
	}{
		{"nothing", `{}`, telesign.Receipt{}},
		{"spaces everywhere", " {\n\t\"reference_id\" : \"ab\" ,\r\n \"channel_status\" : [ { \"sms\" : { \"code\" : 3000 } } , { } ] } ", telesign.Receipt{Reference: "AB", Legs: []telesign.Leg{leg("sms", 3000)}}},
		{"nulls", `{"reference_id":null,"external_id":null,"status":null,"channel_status":null,"sub_resource":null}`, telesign.Receipt{}},
		{"null in everything", `{"status":{"code":null,"description":null,"last_channel":null,"updated_on":null},"channel_status":[null,{"sms":null},{"sms":{"code":null}}]}`, telesign.Receipt{Legs: []telesign.Leg{leg("sms", 0)}}},
		{"wrong types", `{"reference_id":{},"external_id":[],"status":"delivered","channel_status":7,"sub_resource":true}`, telesign.Receipt{}},
		{"wrong types inside", `{"status":{"code":{"a":1},"description":[1],"last_channel":false,"updated_on":{}},"channel_status":["sms",{"sms":"3000"},[{"sms":{"code":3000}}]]}`, telesign.Receipt{}},
		{"unknown fields", `{"price":"0.0050","additional_info":{"mcc":"310","status":{"code":1}},"verify":[[[]]],"status":{"code":3003,"x":{"code":3000}}}`, telesign.Receipt{Status: telesign.Status{Code: 3003}}},
		{"errors as a list", `{"errors":[{"code":-1}],"status":{"code":3003}}`, telesign.Receipt{Status: telesign.Status{Code: 3003}}},
		{"errors as an object", `{"errors":{},"status":{"code":3003}}`, telesign.Receipt{Status: telesign.Status{Code: 3003}}},
		{"a code in quotes", `{"status":{"code":"3000"},"channel_status":[{"sms":{"code":" 3000 "}}]}`, telesign.Receipt{Status: telesign.Status{Code: 3000}, Legs: []telesign.Leg{leg("sms", 3000)}}},
		{"a code with a fraction of zero", `{"status":{"code":3000.0}}`, telesign.Receipt{Status: telesign.Status{Code: 3000}}},
		{"a code in words", `{"status":{"code":"delivered"}}`, telesign.Receipt{}},
		{"a code out of range", `{"status":{"code":1e300},"channel_status":[{"sms":{"code":99999999999999999999}},{"mms":{"code":3000.5}}]}`, telesign.Receipt{Legs: []telesign.Leg{leg("sms", 0), leg("mms", 0)}}},
		{"a negative code", `{"status":{"code":-10004}}`, telesign.Receipt{Status: telesign.Status{Code: -10004}}},
		{"several channels in one object, in order", `{"channel_status":[{"whatsapp":{"code":3056},"sms":{"code":3000}},{"email":{"code":3003}}]}`, telesign.Receipt{Legs: []telesign.Leg{leg("whatsapp", 3056), leg("sms", 3000), leg("email", 3003)}}},
		{"one object instead of a list", `{"channel_status":{"whatsapp":{"code":3056},"sms":{"code":3000}}}`, telesign.Receipt{Legs: []telesign.Leg{leg("whatsapp", 3056), leg("sms", 3000)}}},
		{"the same channel twice, in order", `{"channel_status":[{"sms":{"code":3002}},{"sms":{"code":3000}},{"sms":{"code":3002}}]}`, telesign.Receipt{Legs: []telesign.Leg{leg("sms", 3002), leg("sms", 3000), leg("sms", 3002)}}},
		{"a channel in capitals", `{"status":{"last_channel":"SMS"},"channel_status":[{" WhatsApp ":{"code":3000}}]}`, telesign.Receipt{Status: telesign.Status{LastChannel: "sms"}, Legs: []telesign.Leg{leg("whatsapp", 3000)}}},
		{"a channel with an endless name", `{"channel_status":[{"` + strings.Repeat("x", 65) + `":{"code":3000}},{"":{"code":1}}]}`, telesign.Receipt{}},
		{"escapes in keys and values", `{"reference_\u0069d":"\u0061b","channel_status":[{"\u0073ms":{"code":3000,"description":"a\"},{\\"}}]}`, telesign.Receipt{Reference: "AB", Legs: []telesign.Leg{{Channel: "sms", Code: 3000}}}},
		{"brackets in strings", `{"a":"}]{[\\","b":["]","}"],"reference_id":"ab"}`, telesign.Receipt{Reference: "AB"}},
		{"a parts count as a string", `{"message_parts_count":"1","status":{"code":3000}}`, telesign.Receipt{Status: telesign.Status{Code: 3000}}},
		{"a reply without a number's field of its own", `{"phone_number":"15558675309","user_response":{"action":"stop"}}`, telesign.Receipt{Inbound: true, Reply: telesign.Reply{Phone: phone, Action: "STOP"}}},
		{"a WhatsApp user in the number's place", `{"phone_number":"US.134912086553","content":{"end_user_action":{"action":"STOP"}}}`, telesign.Receipt{Inbound: true, Reply: telesign.Reply{User: "US.134912086553", Action: "STOP"}}},
		{"a number that is null, in quotes", `{"phone_number":"null","content":{"end_user_action":{"action":"STOP"}}}`, telesign.Receipt{Inbound: true, Reply: telesign.Reply{Action: "STOP"}}},
		{"a reply with a time that can't be read, and another", `{"status":{"updated_on":"2022-31-03T14:51:28.709526Z"},"submit_timestamp":"2022-03-31T14:51:28Z","user_response":{"action":"stop"}}`, telesign.Receipt{
			Inbound: true, Reply: telesign.Reply{Action: "STOP", At: time.Date(2022, 3, 31, 14, 51, 28, 0, time.UTC)},
		}},
		{"a phone number that is no reply", `{"phone_number":"15558675309","status":{"code":3000}}`, telesign.Receipt{Status: telesign.Status{Code: 3000}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, parse(t, tt.body)); diff != "" {
				t.Errorf("receipt (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseReceipt_ReadsEachFormOfExternalID(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"external_id":"c.0.1.1"}`:      "c.0.1.1",
		`{"external_id":"c\u002e0.1.1"}`: "c.0.1.1",
		`{"external_id":null}`:           "",
		`{"external_id":"null"}`:         "",
		`{"external_id":"NULL"}`:         "",
		`{"external_id":""}`:             "",
		`{}`:                             "",
		`{"external_id":47}`:             "47",
		`{"external_id":{"id":"c"}}`:     "",
		`{"external_id":"` + strings.Repeat("x", 100) + `"}`: strings.Repeat("x", 100),
		`{"external_id":"` + strings.Repeat("x", 101) + `"}`: "",
	} {
		if got := parse(t, body).ExternalID; got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestParseReceipt_ReadsEachTimestampAndRejectsNone(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Time{
		"2020-05-04 22:07:01:226":       time.Date(2020, 5, 4, 22, 7, 1, 226e6, time.UTC),
		"2020-05-04 22:05:00.325":       time.Date(2020, 5, 4, 22, 5, 0, 325e6, time.UTC),
		"2020-05-04 22:05:00":           time.Date(2020, 5, 4, 22, 5, 0, 0, time.UTC),
		"2024-11-12T13:08:37.000000Z":   time.Date(2024, 11, 12, 13, 8, 37, 0, time.UTC),
		"2020-08-27T17:28:49.559307Z":   time.Date(2020, 8, 27, 17, 28, 49, 559307e3, time.UTC),
		"2020-08-27T17:28:49+02:00":     time.Date(2020, 8, 27, 15, 28, 49, 0, time.UTC),
		"2020-08-27T17:28:49.5":         time.Date(2020, 8, 27, 17, 28, 49, 5e8, time.UTC),
		"Thu, 23 Jun 2022 19:03:44 GMT": time.Date(2022, 6, 23, 19, 3, 44, 0, time.UTC),
		"2022-31-03T14:51:28.709526Z":   {}, // Telesign's own example
		"2020-05-04 22:07:01:":          {},
		"2020-05-04":                    {},
		"yesterday":                     {},
		"0000-00-00 00:00:00":           {},
		"2020-05-04 22:07:01:226 PDT":   {},
		"1588630021226":                 {},
		"":                              {},
		strings.Repeat("2020-", 1000):   {},
	} {
		r := parse(t, `{"status":{"code":3000,"updated_on":"`+raw+`"}}`)
		if r.Status.Code != 3000 || !r.Status.At.Equal(want) {
			t.Errorf("status %q: %v, want %v", raw, r.Status.At, want)
		}
	}
}

func TestParseReceipt_RefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing": "", "spaces": " \n", "null": "null", "a list": "[]", "a string": `"x"`, "a number": "7", "HTML": "<html>",
		"half an object": `{"status":{"code":3000`, "two objects": "{}{}", "single quotes": `{'test': 123}`,
		"a list a hundred thousand deep":     strings.Repeat("[", 100_000),
		"an object that nests without end":   strings.Repeat(`{"status":`, 6_000),
		"more than any receipt has":          `{"a":"` + strings.Repeat("x", telesign.MaxReceipt) + `"}`,
		"a control character within a field": "{\"reference_id\":\"a\x00b\"}",
	} {
		if _, err := telesign.ParseReceipt([]byte(body)); !errors.Is(err, telesign.ErrMalformedReceipt) {
			t.Errorf("%s: %v, want ErrMalformedReceipt", name, err)
		}
	}
}

func TestParseReceipt_BoundsTheLegs(t *testing.T) {
	t.Parallel()
	deep := parse(t, `{"channel_status":`+strings.Repeat("[", 30_000)+strings.Repeat("]", 30_000)+`,"status":{"code":3000}}`)
	if len(deep.Legs) != 0 || deep.Status.Code != 3000 {
		t.Errorf("lists thirty thousand deep: %+v, want no legs and the rest", deep)
	}
	one := `{"sms":{"code":3000}}`
	if n := len(parse(t, `{"channel_status":[`+strings.Repeat(one+",", 1000)+one+`]}`).Legs); n != 64 {
		t.Errorf("%d legs, want 64", n)
	}
	nested := `{"channel_status":[{"sms":{"code":3000,"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}},{"mms":{"code":3003}}]}`
	if n := len(parse(t, nested).Legs); n != 2 {
		t.Errorf("%d legs around a deep value, want 2", n)
	}
}

func TestNormalizeReference_GivesOneSpelling(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"35C8B5D509BC10689196FED2AD551B8A":      "35C8B5D509BC10689196FED2AD551B8A",
		" 35c8b5d509bc10689196fed2ad551b8a\r\n": "35C8B5D509BC10689196FED2AD551B8A",
		"":                                      "",
		"null":                                  "",
		"a b":                                   "",
		"a\x00b":                                "",
		"é":                                     "",
		strings.Repeat("a", 128):                strings.Repeat("A", 128),
		strings.Repeat("a", 129):                "",
	} {
		if got := telesign.NormalizeReference(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	for _, seed := range []string{
		guideReceipt, queryReceipt, `{}`, `null`, `{"status":{"code":"3000"},"channel_status":{"sms":{"code":3e3}}}`,
		`{"channel_status":[{"a":{"code":1},"b":{}},[],"x",null]}`, `{"a":"\u00e9\"\\","reference_\u0069d":"x"}`,
		`{"phone_number":"1","user_response":{"action":"stop"},"content":{"end_user_action":{}}}`, "{\"\xff\":\"\xff\"}",
		`{"status":{"updated_on":"2020-05-04 22:07:01:226"}}`, `{"status":{"updated_on":"2022-31-03T14:51:28.709526Z"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := telesign.ParseReceipt(body)
		if err != nil {
			if diff := cmp.Diff(telesign.Receipt{}, r); diff != "" {
				t.Errorf("an error and a receipt:\n%s", diff)
			}
			return
		}
		if len(r.Legs) > 64 || len(r.Reference) > telesign.MaxReference || len(r.ExternalID) > telesign.MaxExternalID {
			t.Errorf("out of bounds: %d legs, reference %q, external id %q", len(r.Legs), r.Reference, r.ExternalID)
		}
	})
}

func parse(t testing.TB, body string) telesign.Receipt {
	t.Helper()
	r, err := telesign.ParseReceipt([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return r
}
