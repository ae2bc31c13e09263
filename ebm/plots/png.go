package plots

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"sort"

	"github.com/pkg/errors"
)

const figureDPI = 192 // twice the 96 dots of a CSS inch: sharp on dense screens and in print

// PNG returns the picture, at 192 dots an inch.
func (f *Figure) PNG() ([]byte, error) {
	img, err := f.render(figureDPI)
	if err != nil {
		return nil, err
	}
	return encodePNG(img, figureDPI)
}

// Save writes the picture to a PNG file.
func (f *Figure) Save(path string) error {
	data, err := f.PNG()
	if err != nil {
		return err
	}
	return writeFile(path, data)
}

func writeFile(path string, data []byte) error {
	if path == "" {
		return errors.New("Save: path is empty")
	}
	return errors.Wrapf(os.WriteFile(path, data, 0o644), "Save: path %q", path)
}

// Root mean square errors, in levels of a channel, of a picture in 256 colours.
const (
	seenLoss  = .6 // above it smooth shades show steps, which a fine pattern of two colours hides
	grainLoss = 4  // above it the pattern shows
)

// encodePNG writes 256 colours when that is not seen, else all of them.
func encodePNG(img *image.RGBA, dpi float64) ([]byte, error) {
	var shown image.Image = img
	if palette, loss := reduce([]*image.RGBA{img}, 256); loss <= grainLoss {
		shown = indexed(img, palette, loss > seenLoss)
	}
	data, err := rawPNG(shown)
	if err != nil {
		return nil, err
	}
	head := 8 + 25 // signature and IHDR
	out := append([]byte{}, data[:head]...)
	out = append(out, chunk("pHYs", physical(dpi))...)
	return append(out, data[head:]...), nil
}

func rawPNG(img image.Image) ([]byte, error) {
	var buf bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&buf, img)
	return buf.Bytes(), errors.Wrap(err, "png")
}

// physical is the body of a pHYs chunk: dots a metre each way.
func physical(dpi float64) []byte {
	var b []byte
	for range 2 {
		b = binary.BigEndian.AppendUint32(b, uint32(math.Round(dpi/.0254)))
	}
	return append(b, 1)
}

// chunk is a PNG chunk: length, type, data, check sum.
func chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// rgb is an opaque colour.
type rgb [3]uint8

// indexed writes a picture in the palette's colours. With grain, a shade between two of them becomes a pattern of both,
// too fine to be seen (B. Bayer, "An optimum method for two-level rendition of continuous-tone pictures", 1973).
func indexed(img *image.RGBA, palette []rgb, grain bool) *image.Paletted {
	bayer := [16]float64{0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5}
	colours := make(color.Palette, len(palette))
	for i, c := range palette {
		colours[i] = color.RGBA{c[0], c[1], c[2], 255}
	}
	out := image.NewPaletted(img.Rect, colours)
	type pair struct {
		first, second uint8
		share         float64 // of the second, in sixteenths
	}
	known := map[rgb]pair{}
	for i := range out.Pix {
		c := rgb(img.Pix[4*i : 4*i+3])
		p, ok := known[c]
		if !ok {
			p.first = nearest(palette, c)
			p.second = p.first
			// The second colour lies on the other side of c. Colours far apart would be seen.
			if near := math.Sqrt(float64(distance(c, palette[p.first]))); grain && near > 0 && near < 3*8 {
				var beyond rgb
				for k := range 3 {
					beyond[k] = uint8(max(0, min(3*int(c[k])-2*int(palette[p.first][k]), 255)))
				}
				second := nearest(palette, beyond)
				if far := math.Sqrt(float64(distance(c, palette[second]))); second != p.first && far < 3*12 {
					p.second, p.share = second, 16*near/(near+far)
				}
			}
			known[c] = p
		}
		out.Pix[i] = p.first
		if x, y := i%out.Stride, i/out.Stride; p.share > bayer[y&3*4+x&3]+.5 {
			out.Pix[i] = p.second
		}
	}
	return out
}

func nearest(palette []rgb, c rgb) uint8 {
	best, least := 0, math.MaxInt
	for k, q := range palette {
		if d := distance(c, q); d < least {
			best, least = k, d
		}
	}
	return uint8(best)
}

// distance is the squared distance of two colours, green counting most and blue least, as in the eye.
func distance(a, b rgb) int {
	r, g, l := int(a[0])-int(b[0]), int(a[1])-int(b[1]), int(a[2])-int(b[2])
	return 3*r*r + 4*g*g + 2*l*l
}

// shade is a colour and how many pixels have it.
type shade struct {
	c rgb
	n float64
}

// reduce finds at most n colours for all the pictures: theirs if they have no more, else by cutting the box of colours
// with the largest squared spread at its mean, again and again, and then moving each colour to the mean of those nearest
// to it (P. Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982; S. Lloyd, "Least squares
// quantization in PCM", 1982). It also returns the root mean square error in levels of a channel.
func reduce(imgs []*image.RGBA, n int) ([]rgb, float64) {
	counts := map[rgb]int{}
	for _, img := range imgs {
		for i := 0; i+3 < len(img.Pix); i += 4 {
			counts[rgb(img.Pix[i:i+3])]++
		}
	}
	all := make([]shade, 0, len(counts))
	for c, k := range counts {
		all = append(all, shade{c, float64(k)})
	}
	sort.Slice(all, func(i, j int) bool { return bytes.Compare(all[i].c[:], all[j].c[:]) < 0 })
	boxes := [][]shade{all}
	spreads := []float64{spread(all)}
	for len(boxes) < n {
		k := 0
		for i := range spreads {
			if spreads[i] > spreads[k] {
				k = i
			}
		}
		if spreads[k] == 0 {
			break
		}
		low, high := split(boxes[k])
		boxes[k], spreads[k] = low, spread(low)
		boxes, spreads = append(boxes, high), append(spreads, spread(high))
	}
	palette := make([]rgb, len(boxes))
	for range 3 {
		for i, b := range boxes {
			if len(b) > 0 {
				m, _ := moments(b)
				palette[i] = rgb{uint8(m[0] + .5), uint8(m[1] + .5), uint8(m[2] + .5)}
			}
			boxes[i] = boxes[i][:0:0]
		}
		if len(all) <= n {
			return palette, 0
		}
		for _, s := range all {
			k := nearest(palette, s.c)
			boxes[k] = append(boxes[k], s)
		}
	}
	sum, weight := 0., 0.
	for k, b := range boxes {
		for _, s := range b {
			sum += s.n * float64(distance(s.c, palette[k]))
			weight += s.n
		}
	}
	return palette, math.Sqrt(sum / weight / 9)
}

// moments are the mean of a box's colours and their squared spread along each channel.
func moments(b []shade) (mean, spread [3]float64) {
	n := 0.
	for _, s := range b {
		n += s.n
		for k := range 3 {
			mean[k] += s.n * float64(s.c[k])
		}
	}
	for k := range 3 {
		mean[k] /= n
	}
	for _, s := range b {
		for k, weight := range [3]float64{3, 4, 2} {
			d := float64(s.c[k]) - mean[k]
			spread[k] += weight * s.n * d * d
		}
	}
	return mean, spread
}

func spread(b []shade) float64 {
	_, s := moments(b)
	return s[0] + s[1] + s[2]
}

// split cuts a box at its mean along the channel with the largest spread.
func split(b []shade) (low, high []shade) {
	mean, s := moments(b)
	k := 0
	for i := range s {
		if s[i] > s[k] {
			k = i
		}
	}
	for _, c := range b {
		if float64(c.c[k]) <= mean[k] {
			low = append(low, c)
		} else {
			high = append(high, c)
		}
	}
	return low, high
}
