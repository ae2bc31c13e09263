package plots

import (
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"time"

	"github.com/pkg/errors"
)

// Animation is a picture that moves: an animated PNG, which browsers, notebooks and exported HTML play and which any
// other viewer shows as its first frame.
type Animation struct {
	Frames   []*Figure     // at least one; all of the same layout
	Delay    time.Duration // of each frame; default 400 ms
	Hold     time.Duration // of the last frame; default 2 s
	MaxBytes int           // size to stay below, by fewer dots an inch (160 down to 96); default 350 000
	Name     string        // file name, without ending, that Show writes to outside a notebook; default from the title
	err      error
}

// Animate makes an animation of panels, one a frame. Frames share one colour scale and one pair of axes.
func Animate(panels ...*Panel) *Animation {
	a := &Animation{}
	for i, p := range panels {
		if p == nil {
			a.err = firstError(a.err, errors.Errorf("Animate: panel %d is nil", i))
			continue
		}
		a.Frames = append(a.Frames, p.figure())
	}
	return a
}

// render draws all frames at one size, with the axes and colours that suit all of them.
func (a *Animation) render(dpi float64) ([]*image.RGBA, error) {
	if a.err != nil {
		return nil, a.err
	}
	if len(a.Frames) == 0 {
		return nil, errors.New("Animation: no frames")
	}
	if a.Delay < 0 || a.Hold < 0 || a.Delay > time.Minute || a.Hold > time.Minute {
		return nil, errors.Errorf("Animation: Delay is %v and Hold %v, want 0 to 1 min", a.Delay, a.Hold)
	}
	if a.MaxBytes < 0 {
		return nil, errors.Errorf("Animation: MaxBytes is %d, want at least 0", a.MaxBytes)
	}
	for i, f := range a.Frames {
		switch {
		case f == nil:
			return nil, errors.Errorf("Animation: frame %d is nil", i)
		case f.err != nil:
			return nil, errors.WithMessagef(f.err, "frame %d", i)
		case len(f.panels) != len(a.Frames[0].panels):
			return nil, errors.Errorf("Animation: frame %d has %d panels, frame 0 has %d", i, len(f.panels), len(a.Frames[0].panels))
		}
	}
	frames := make([]*Figure, len(a.Frames))
	for i, f := range a.Frames {
		c := *f
		c.panels = append([]*Panel{}, f.panels...)
		frames[i] = &c
	}
	for k := range frames[0].panels {
		restore, err := alike(frames, k)
		if err != nil {
			return nil, err
		}
		defer restore()
	}
	var out []*image.RGBA
	for i, f := range frames {
		img, err := f.render(dpi)
		if err != nil {
			return nil, errors.WithMessagef(err, "frame %d", i)
		}
		if i > 0 && img.Rect != out[0].Rect {
			return nil, errors.Errorf("Animation: frame %d is %v pixels large, frame 0 is %v", i, img.Rect.Max, out[0].Rect.Max)
		}
		out = append(out, img)
	}
	return out, nil
}

// alike gives panel k of all frames the same axes and colours.
func alike(frames []*Figure, k int) (restore func(), err error) {
	var all Region
	panels := make([]*Panel, len(frames))
	for i, f := range frames {
		p := *f.panels[k]
		r, err := p.region()
		if err != nil {
			return nil, errors.WithMessagef(err, "frame %d", i)
		}
		if i == 0 {
			all = r
		}
		all = all.union(r)
		panels[i], f.panels[k] = &p, &p
	}
	for _, p := range panels {
		if p.surface() == nil {
			p.xlim, p.ylim = &[2]float64{all.X0, all.X1}, &[2]float64{all.Y0, all.Y1}
		}
	}
	return shareColors(panels), nil
}

// PNG returns the animated PNG.
func (a *Animation) PNG() ([]byte, error) {
	data, _, err := a.encode()
	return data, err
}

// encode draws with fewer dots when the file comes out too large; its size grows about as the number of dots.
func (a *Animation) encode() (data []byte, dpi float64, err error) {
	limit := a.MaxBytes
	if limit == 0 {
		limit = 350_000
	}
	const most, least = 160, 96
	for dpi = most; ; {
		imgs, err := a.render(dpi)
		if err != nil {
			return nil, 0, err
		}
		if data, err = a.assemble(imgs, dpi); err != nil {
			return nil, 0, err
		}
		if len(data) <= limit || dpi == least {
			return data, dpi, nil
		}
		fits := dpi * .95 * math.Sqrt(float64(limit)/float64(len(data)))
		dpi = math.Max(least, math.Floor(fits/8)*8)
	}
}

// assemble writes the chunks of an animated PNG (W3C, "Portable Network Graphics, Third Edition", 2025, §11.3.6). All
// frames share a palette of 255 colours; pixels that stay as they were are transparent, and the frame is only as large
// as what changed.
func (a *Animation) assemble(imgs []*image.RGBA, dpi float64) ([]byte, error) {
	palette, loss := reduce(imgs, 255)
	delay, hold := a.Delay, a.Hold
	if delay == 0 {
		delay = 400 * time.Millisecond
	}
	if hold == 0 {
		hold = 2 * time.Second
	}
	var out []byte
	var before *image.Paletted
	sequence := uint32(0)
	for i, img := range imgs {
		now := indexed(img, palette, loss > seenLoss)
		now.Palette = append(color.Palette{color.RGBA{}}, now.Palette...) // colour 0 is transparent
		for k := range now.Pix {
			now.Pix[k]++
		}
		part, at := changed(before, now)
		before = now
		data, err := rawPNG(part)
		if err != nil {
			return nil, err
		}
		chunks := chunksOf(data)
		if i == 0 {
			out = append(out, data[:8+25]...)
			out = append(out, chunk("pHYs", physical(dpi))...)
			out = append(out, chunk("acTL", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(len(imgs))), 0))...)
			for _, c := range chunks {
				if c.kind == "PLTE" || c.kind == "tRNS" {
					out = append(out, chunk(c.kind, c.data)...)
				}
			}
		}
		ms := uint16(delay.Milliseconds())
		if i == len(imgs)-1 {
			ms = uint16(hold.Milliseconds())
		}
		control := binary.BigEndian.AppendUint32(nil, sequence)
		for _, v := range []int{at.Dx(), at.Dy(), at.Min.X, at.Min.Y} {
			control = binary.BigEndian.AppendUint32(control, uint32(v))
		}
		control = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(control, ms), 1000)
		blend := byte(1) // over what is there
		if i == 0 {
			blend = 0
		}
		out = append(out, chunk("fcTL", append(control, 0, blend))...)
		sequence++
		for _, c := range chunks {
			switch {
			case c.kind != "IDAT":
			case i == 0:
				out = append(out, chunk("IDAT", c.data)...)
			default:
				out = append(out, chunk("fdAT", append(binary.BigEndian.AppendUint32(nil, sequence), c.data...))...)
				sequence++
			}
		}
	}
	return append(out, chunk("IEND", nil)...), nil
}

// changed is the part of a frame that differs from the one before, its unchanged pixels transparent. It is never empty.
func changed(before, now *image.Paletted) (*image.Paletted, image.Rectangle) {
	if before == nil {
		return now, now.Rect
	}
	var at image.Rectangle
	for y := range now.Rect.Dy() {
		for x := range now.Rect.Dx() {
			if k := now.PixOffset(x, y); now.Pix[k] != before.Pix[k] {
				at = at.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if at.Empty() {
		at = image.Rect(0, 0, 1, 1)
	}
	part := image.NewPaletted(image.Rect(0, 0, at.Dx(), at.Dy()), now.Palette)
	for y := range at.Dy() {
		from := now.PixOffset(at.Min.X, at.Min.Y+y)
		for x := range at.Dx() {
			if k := now.Pix[from+x]; k != before.Pix[from+x] {
				part.Pix[y*part.Stride+x] = k
			}
		}
	}
	return part, at
}

type pngChunk struct {
	kind string
	data []byte
}

// chunksOf takes apart a PNG that image/png wrote.
func chunksOf(data []byte) (out []pngChunk) {
	for data = data[8:]; len(data) >= 12; {
		n := int(binary.BigEndian.Uint32(data))
		out = append(out, pngChunk{string(data[4:8]), data[8 : 8+n]})
		data = data[12+n:]
	}
	return out
}

// Save writes the animation to a file; name it .png, which is what viewers and notebooks know.
func (a *Animation) Save(path string) error {
	data, err := a.PNG()
	if err != nil {
		return err
	}
	return writeFile(path, data)
}
