package translate

import "strings"

// How a text is cut into SMS, by 3GPP TS 23.038 and 23.040: in the GSM 7-bit
// alphabet 160 characters fit one message and 153 each of several; any other
// character makes the whole text UTF-16, of which 70 units fit one and 67 each
// of several.
const (
	gsmSingle, gsmPart = 160, 153
	ucsSingle, ucsPart = 70, 67
)

// gsmBasic is the GSM 7-bit default alphabet beyond the ASCII that it shares.
const gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// gsmExtension are the characters that take an escape, and so two places.
const gsmExtension = "\f^{}\\[~]|€"

// gsmASCII is the width of each ASCII character, 0 for those not in GSM.
var gsmASCII = func() (width [128]uint8) {
	for i := range width {
		switch {
		case strings.IndexByte(gsmExtension, byte(i)) >= 0:
			width[i] = 2
		case strings.IndexByte(gsmBasic, byte(i)) >= 0:
			width[i] = 1
		}
	}
	return width
}()

// gsmWidth is how many places a character takes; 0 when GSM hasn't got it.
func gsmWidth(r rune) int {
	switch {
	case r < 128:
		return int(gsmASCII[r])
	case r == '€':
		return 2
	case strings.ContainsRune(gsmBasic, r):
		return 1
	}
	return 0
}

// SMSParts is the number of SMS that a text takes.
func SMSParts(text string) int {
	for _, r := range text {
		if gsmWidth(r) == 0 {
			return cut(text, ucsWidth, ucsSingle, ucsPart)
		}
	}
	return cut(text, gsmWidth, gsmSingle, gsmPart)
}

func ucsWidth(r rune) int {
	if r >= 0x10000 {
		return 2
	}
	return 1
}

// cut counts parts. A character of two places is never split between them.
func cut(text string, width func(rune) int, single, part int) int {
	total, parts, room := 0, 1, part
	for _, r := range text {
		w := width(r)
		total += w
		if w > room {
			parts++
			room = part
		}
		room -= w
	}
	if total <= single {
		return 1
	}
	return parts
}
