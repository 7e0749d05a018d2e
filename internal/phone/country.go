package phone

import "github.com/nyaruka/phonenumbers"

// Country returns the country of a number in E.164 form, by the two letters of ISO 3166,
// or 001 for those of none, such as satellites; and whether calls and messages to it
// cost their sender extra.
func Country(e164 string) (country string, premium bool) {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return "", false
	}
	country = phonenumbers.GetRegionCodeForNumber(n)
	if country == "" { // of a range newer than the data
		country = phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode()))
	}
	kind := phonenumbers.GetNumberType(n)
	return country, kind == phonenumbers.PREMIUM_RATE || kind == phonenumbers.SHARED_COST
}

// IsCountry reports whether two letters are a country's of ISO 3166 that has numbers.
func IsCountry(letters string) bool { return phonenumbers.GetSupportedRegions()[letters] }
