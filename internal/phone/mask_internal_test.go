package phone

import "testing"

func TestHideIn_HidesTheNumberInEveryForm(t *testing.T) {
	const phone = "+12015550123"
	for text, want := range map[string]string{
		"12015550123":                              "*********23",
		"call +1 (201) 555-0123 now":               "call +* (***) ***-**23 now",
		"2015550123 or 12015550123":                "********23 or *********23",
		"https://x.example/f?p=%2B12015550123&s=1": "https://x.example/f?p=%2B*********23&s=1",
		"nothing here 5550199":                     "nothing here 5550199",
		"9912015550123":                            "99*********23",
		"":                                         "",
	} {
		if got := HideIn(text, phone); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
