package telesign_test

import (
	"testing"

	"github.com/handout-dev/handout/telesign"
)

func BenchmarkEncode(b *testing.B) {
	m := guideMessage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodedLen(b *testing.B) {
	m := guideMessage()
	b.ReportAllocs()
	for b.Loop() {
		if m.EncodedLen() == 0 {
			b.Fatal("empty")
		}
	}
}

func BenchmarkParseReceipt(b *testing.B) {
	body := []byte(guideReceipt)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := telesign.ParseReceipt(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(guideReceipt)
	header, err := telesign.SignCallback(customer, keyLax, body)
	if err != nil {
		b.Fatal(err)
	}
	v := verifier(b, keyLax)
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Verify(header, body); err != nil {
			b.Fatal(err)
		}
	}
}
