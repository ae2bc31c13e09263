package plots

import (
	"encoding/hex"
	"image/color"
	"math"
)

// Palette is one of the perceptually uniform colour maps: equal steps of a value look like equal steps of colour, in
// print without colours and to readers who are colour-blind too. The zero value is Viridis.
type Palette int

// The palettes, each kept as every fifth of its 256 published colours and interpolated between them.
const (
	// Viridis by S. van der Walt and N. Smith, matplotlib 2.0, 2015, CC0: blue over green to yellow.
	Viridis Palette = iota
	// Magma by the same authors: black over purple to cream.
	Magma
	// Cividis by J. R. Nuñez, C. R. Anderton and R. S. Renslow, "Optimizing colormaps with consideration for color
	// vision deficiency", PLOS ONE 13(7), 2018, doi:10.1371/journal.pone.0199239: blue over grey to yellow.
	Cividis
)

var paletteHex = [...]string{
	Viridis: "44015446085c471063481769481d6f482475472a7a46307e453781433d844142873f48893d4e8a3a538b38598c355e8d33638d31688e2e6d8e2c718e2a768e297b8e27808e25848e23898e218e8d20928c1f978b1e9c891fa18821a58524aa8328ae802eb37c35b7793dbc7446c06f50c46a5ac86465cb5e70cf577cd25089d54895d840a2da37b0dd2fbddf26cae11fd8e219e5e419f1e51dfde725",
	Magma:   "00000402020b0504160907200e0b2b140e361a104221114e29115a311165390f6e420f754a107952137c5a167e6219806a1c81721f81792282812581892881912b81992d80a1307eaa337db2357bba3878c23b75ca3e72d2426fd9466be04c67e75263ec5860f1605df4695cf7725cf97b5dfb8560fc8e64fd9869fea16efeaa74feb47bfebd82fec68afecf92fed89afde2a3fdebacfcf4b6fcfdbf",
	Cividis: "00224e002656002a5f002d68003070083370163770203a6f273e6e2e416d34456c3a486c3f4c6c444f6c49536c4e566c535a6d575d6d5c616e60646f656870696b716d6f727272747676767a7a787e7d788381798885788d8878928c789690779b9476a09875a59c74aaa073afa471b5a86fbaac6dbfb06bc4b468c9b965cfbd62d4c15fdac65bdfca57e5cf52ead34cf0d846f6dd3ffce236fee838",
}

// At is the colour at t, from 0 (low) to 1 (high); values outside take the nearest end.
func (p Palette) At(t float64) color.RGBA {
	if p < 0 || int(p) >= len(paletteHex) {
		p = Viridis
	}
	if math.IsNaN(t) {
		t = 0
	}
	table := paletteHex[p]
	n := len(table)/6 - 1
	// 200 steps cannot be told apart by eye, and leave a picture of 256 colours 56 for its text and its points.
	t = math.Round(math.Max(0, math.Min(t, 1))*200) / 200 * float64(n)
	i := min(int(t), n-1)
	var rgb [6]byte
	_, _ = hex.Decode(rgb[:], []byte(table[6*i:6*i+12])) // constant digits
	f := t - float64(i)
	mix := func(k int) uint8 { return uint8(float64(rgb[k])*(1-f) + float64(rgb[k+3])*f + .5) }
	return color.RGBA{mix(0), mix(1), mix(2), 255}
}

// Colours that read well on a white page and on every palette.
var (
	White  = color.NRGBA{255, 255, 255, 255}
	Black  = color.NRGBA{0, 0, 0, 255}
	Grey   = color.NRGBA{120, 120, 120, 255}
	Red    = color.NRGBA{230, 35, 45, 255}
	Blue   = color.NRGBA{0, 114, 178, 255}
	Orange = color.NRGBA{230, 159, 0, 255}
	Green  = color.NRGBA{0, 158, 115, 255}
	Purple = color.NRGBA{204, 121, 167, 255}
	Sky    = color.NRGBA{86, 180, 233, 255}
	Brick  = color.NRGBA{213, 94, 0, 255}
)

// cycle is the colour of the k-th curve or label: M. Okabe and K. Ito, "Color universal design", 2008.
func cycle(k int) color.Color {
	colours := [...]color.Color{Blue, Brick, Green, Purple, Orange, Sky, Black, Grey}
	return colours[k%len(colours)]
}

// fade returns c with its opacity multiplied by alpha.
func fade(c color.Color, alpha float64) color.NRGBA {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = uint8(float64(n.A)*math.Max(0, math.Min(alpha, 1)) + .5)
	return n
}

// mix returns a·(1−t) + b·t for opaque colours.
func mix(a, b color.RGBA, t float64) color.RGBA {
	m := func(x, y uint8) uint8 { return uint8(float64(x)*(1-t) + float64(y)*t + .5) }
	return color.RGBA{m(a.R, b.R), m(a.G, b.G), m(a.B, b.B), 255}
}
