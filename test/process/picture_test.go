package process_test

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"slices"
	"testing"
)

// mostColours is how many colours a picture keeps: a page has a few, and shades
// of them around its letters.
const mostColours = 128

// fewColours is a PNG with the colours that it has most of, which is a third of
// its size and looks the same.
func fewColours(t testing.TB, content []byte) []byte {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	size := picture.Bounds()
	times := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA) }
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			times[at(x, y)]++
		}
	}
	all := make([]color.RGBA, 0, len(times))
	for c := range times {
		all = append(all, c)
	}
	number := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
	slices.SortFunc(all, func(a, b color.RGBA) int { return cmp.Or(times[b]-times[a], number(a)-number(b)) })
	var palette color.Palette
	for _, c := range all {
		if len(palette) == mostColours {
			break
		}
		if near := palette.Convert; len(palette) == 0 || distance(near(c), c) > 5 {
			palette = append(palette, c)
		}
	}
	nearest := map[color.RGBA]uint8{}
	for _, c := range all {
		nearest[c] = uint8(palette.Index(c)) // a palette has at most 256
	}
	few := image.NewPaletted(size, palette)
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			few.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, few); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// distance is how far two colours are apart, in the channel that differs most.
func distance(a color.Color, b color.RGBA) int {
	c := color.RGBAModel.Convert(a).(color.RGBA)
	apart := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return max(apart(c.R, b.R), apart(c.G, b.G), apart(c.B, b.B))
}
