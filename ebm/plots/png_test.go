package plots

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

func cloud(n int) (pts [][2]float64, values []float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		pts = append(pts, [2]float64{rng.NormFloat64(), rng.NormFloat64()})
		values = append(values, rng.NormFloat64())
	}
	return pts, values
}

// every kind of picture, made afresh at each call.
func every() map[string]*Panel {
	pts, values := cloud(300)
	field := func(p []float32) ([]float64, error) { return widen(p), nil }
	return map[string]*Panel{
		"contour": Contour(hill(wells), Box(-2, 2), ContourStyle{ColorScale: ColorScale{Depth: 10}}).Scatter(pts).Title("∇E(x₁)"),
		"log":     Contour(hill(wells), Box(-2, 2), ContourStyle{ColorScale: ColorScale{Log: true}}),
		"heat":    Heat(hill(wells), Box(-2, 2), HeatStyle{ColorScale: ColorScale{Palette: Magma}}),
		"surface": Surface(hill(wells), Box(-2, 2), SurfaceStyle{ColorScale: ColorScale{Depth: 10}, N: 80}),
		"density": Density(pts, Box(-3, 3)),
		"path":    New().Trajectory(pts[:20]),
		"quiver":  New().Quiver(field, Box(-1, 1)),
		"hist":    Hist(values, HistStyle{Density: func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }}),
		"line":    Line([]float32{3, 1, 2}, LineStyle{Label: "loss"}).HLine(1).LogY(),
		"band":    New().Band([]float64{1, 2}, []float64{2, 4}).VLine(.5),
		"labels":  Scatter(pts[:3], ScatterStyle{Labels: []int{0, 1, 1}, Names: []string{"a", "b"}}),
		"outside": Contour(hill(func(x, y float64) float64 { return []float64{wells(x, y), math.Inf(1)}[min(1, int(x*x+y*y))] }), Box(-2, 2)),
		"matrix": Matrix([][]float64{{1, 30, 1000}, {-2, math.NaN(), 5}}, MatrixStyle{Rows: []string{"first", "a longer\nname"}, Cols: []string{"a", "b", "two\nlines"},
			ColorScale: ColorScale{Label: "what"}}).Title("A table").Size(4.5, 2),
		"matrix, log": Matrix([][]float64{{1, 30, 1000}, {2, math.NaN(), 5}}, MatrixStyle{Text: [][]string{{"one", "", "much"}, {"", "none", ""}}, ColorScale: ColorScale{Log: true}}),
		"images": Images(tensors.FromFlatDataAndDimensions(values[:288], 8, 6, 6), ImagesStyle{Columns: 4, Rows: []string{"first", "a longer\nname"}, Cols: []string{"a", "b", "two\nlines", "d"}}).
			Title("Pictures").Size(4.5, 2.2),
		"images, colours": Images(tensors.FromFlatDataAndDimensions(values[:270], 5, 6, 3, 3)),
		"flat":            Contour(hill(func(x, y float64) float64 { return 7 }), Box(-2, 2)),
	}
}

func TestEveryPicture(t *testing.T) {
	again := every()
	twice := map[string]bool{"contour": true, "surface": true, "hist": true}
	for name, p := range every() {
		data, err := p.PNG()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if w, h := img.Bounds().Dx(), img.Bounds().Dy(); w < 700 || w > 1300 || h < 400 || h > 1300 {
			t.Errorf("%s: %d×%d pixels", name, w, h)
		}
		if len(data) > 130_000 {
			t.Errorf("%s: %d bytes, want at most 130 kB", name, len(data))
		}
		// Nothing may be cut off: the border stays white.
		b := img.Bounds()
		for i := b.Min.X; i < b.Max.X; i++ {
			for j := b.Min.Y; j < b.Max.Y; j++ {
				if i > 5 && i < b.Max.X-6 && j > 5 && j < b.Max.Y-6 {
					continue
				}
				if r, g, l, _ := img.At(i, j).RGBA(); r < 0xf000 || g < 0xf000 || l < 0xf000 {
					t.Fatalf("%s: something reaches the border at (%d, %d)", name, i, j)
				}
			}
		}
		if !twice[name] {
			continue
		}
		if second, err := again[name].PNG(); err != nil || !bytes.Equal(data, second) {
			t.Errorf("%s: the same data gave other bytes (%v)", name, err)
		}
	}
}

func TestPointsOfEveryType(t *testing.T) {
	want, err := Scatter([][2]float64{{1, 2}, {3, 5}}).PNG()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{[][2]float32{{1, 2}, {3, 5}}, [][]float32{{1, 2}, {3, 5}}, [][]float64{{1, 2}, {3, 5}},
		tensors.FromValue([][]float32{{1, 2}, {3, 5}}), tensors.FromValue([][]float64{{1, 2}, {3, 5}})} {
		if got, err := Scatter(v).PNG(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%T gives another picture (%v)", v, err)
		}
	}
}

func TestGridAsFunc(t *testing.T) {
	g, err := Evaluate(hill(func(x, y float64) float64 { return 2*x - y }), Region{-1, 1, 0, 4}, 5, 9)
	if err != nil {
		t.Fatal(err)
	}
	z, err := g.Func()([]float32{.3, 1.7, -1, 4, 1, 0})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{-1.1, -6, 2} {
		if math.Abs(z[i]-want) > 1e-6 {
			t.Errorf("height %d is %v, want %v", i, z[i], want)
		}
	}
	if got := g.smooth(.3, 1.7); math.Abs(got+1.1) > 1e-9 {
		t.Errorf("spline gives %v, want -1.1: it must keep planes", got)
	}
}

func TestReduceKeepsFewColours(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 20, 10))
	for i := range 200 {
		img.SetRGBA(i%20, i/20, color.RGBA{uint8(i), uint8(3 * i), 7, 255})
	}
	palette, loss := reduce([]*image.RGBA{img}, 256)
	if loss != 0 || len(palette) != 200 {
		t.Fatalf("200 colours became %d, loss %v", len(palette), loss)
	}
	for i, c := range indexed(img, palette, false).Pix {
		if palette[c] != (rgb{uint8(i), uint8(3 * i), 7}) {
			t.Fatalf("pixel %d became %v", i, palette[c])
		}
	}
	if palette, loss = reduce([]*image.RGBA{img}, 16); len(palette) != 16 || loss == 0 {
		t.Errorf("16 colours wanted, got %d with loss %v", len(palette), loss)
	}
}

func frames(n int) []*Panel {
	var out []*Panel
	for k := range n {
		by := 1 + float64(k)
		out = append(out, Contour(hill(func(x, y float64) float64 { return by * wells(x, y) }), Box(-2, 2)).
			Scatter([][2]float64{{by / 4, 0}}).Title(fmt.Sprintf("step %d", k)))
	}
	return out
}

// Played by the rules of the APNG chapter of the PNG standard, the file must show what was drawn.
func TestAnimation(t *testing.T) {
	a := Animate(frames(4)...)
	data, dpi, err := a.encode()
	if err != nil {
		t.Fatal(err)
	}
	imgs, err := a.render(dpi)
	if err != nil {
		t.Fatal(err)
	}
	chunks := chunksOf(data)
	kinds := ""
	for at := 8; at < len(data); {
		n := int(binary.BigEndian.Uint32(data[at:]))
		if sum := crc32.ChecksumIEEE(data[at+4 : at+8+n]); sum != binary.BigEndian.Uint32(data[at+8+n:]) {
			t.Fatalf("check sum of chunk at byte %d", at)
		}
		at += 12 + n
	}
	var header []byte // all that a frame needs beside its size and its data
	var played []*image.RGBA
	screen := image.NewRGBA(imgs[0].Rect)
	var control, body []byte
	sequence := uint32(0)
	next := func(b []byte) []byte {
		if got := binary.BigEndian.Uint32(b); got != sequence {
			t.Fatalf("sequence number %d, want %d", got, sequence)
		}
		sequence++
		return b[4:]
	}
	flush := func() {
		if control == nil {
			return
		}
		w, h := binary.BigEndian.Uint32(control), binary.BigEndian.Uint32(control[4:])
		x, y := int(binary.BigEndian.Uint32(control[8:])), int(binary.BigEndian.Uint32(control[12:]))
		size := append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h), chunks[0].data[8:]...)
		file := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", size)...)
		file = append(append(append(file, header...), chunk("IDAT", body)...), chunk("IEND", nil)...)
		part, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		for j := range int(h) {
			for i := range int(w) {
				if c := color.RGBAModel.Convert(part.At(i, j)).(color.RGBA); c.A > 0 || control[21] == 0 {
					screen.SetRGBA(x+i, y+j, c)
				}
			}
		}
		copied := image.NewRGBA(screen.Rect)
		copy(copied.Pix, screen.Pix)
		played, body = append(played, copied), nil
	}
	for _, c := range chunks {
		kinds += c.kind[:1]
		switch c.kind {
		case "acTL":
			if n, loops := binary.BigEndian.Uint32(c.data), binary.BigEndian.Uint32(c.data[4:]); n != 4 || loops != 0 {
				t.Errorf("acTL says %d frames, %d loops, want 4 and for ever", n, loops)
			}
		case "PLTE", "tRNS":
			header = append(header, chunk(c.kind, c.data)...)
		case "fcTL":
			flush()
			control = next(c.data)
		case "IDAT":
			body = append(body, c.data...)
		case "fdAT":
			body = append(body, next(c.data)...)
		}
	}
	flush()
	if len(played) != 4 {
		t.Fatalf("%d frames played, want 4 (%s)", len(played), kinds)
	}
	for k := range imgs {
		sum := 0.
		for i := range imgs[k].Pix {
			d := float64(imgs[k].Pix[i]) - float64(played[k].Pix[i])
			sum += d * d
		}
		if rms := math.Sqrt(sum / float64(len(imgs[k].Pix))); rms > 2 {
			t.Errorf("frame %d differs from its picture by %.2f levels", k, rms)
		}
	}
	// Only the last band of the steepest landscape may reach the end of the common scale.
	if end := Viridis.At(1); bytes.Contains(imgs[0].Pix[:len(imgs[0].Pix)/2], []byte{end.R, end.G, end.B}) && imgs[0].RGBAAt(imgs[0].Rect.Dx()/10, imgs[0].Rect.Dy()/2) == end {
		t.Error("frame 0 does not share the scale of the others")
	}
}

func TestAnimationStaysBelowMaxBytes(t *testing.T) {
	a := Animate(frames(2)...)
	a.MaxBytes = 45_000
	data, dpi, err := a.encode()
	if err != nil || len(data) > a.MaxBytes || dpi >= 160 {
		t.Errorf("%d bytes at %v dots an inch (%v), want at most %d", len(data), dpi, err, a.MaxBytes)
	}
}

func TestSharedColoursAreGivenBack(t *testing.T) {
	p := Heat(hill(wells), Box(-1, 1))
	alone, err := p.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Panels(2, p, Heat(hill(wells), Box(-3, 3))).ShareColors().PNG(); err != nil {
		t.Fatal(err)
	}
	if after, err := p.PNG(); err != nil || !bytes.Equal(after, alone) {
		t.Errorf("a panel changed by being shown beside another (%v)", err)
	}
}

// The other end of the pipes of a GoNB kernel: it must get the picture, its size, and the request to wait for it.
func TestShowInNotebook(t *testing.T) {
	dir := t.TempDir()
	there, back := filepath.Join(dir, "there"), filepath.Join(dir, "back")
	if err := exec.Command("mkfifo", there, back).Run(); err != nil {
		t.Skip("no named pipes here:", err)
	}
	t.Setenv(protocol.GONB_PIPE_ENV, there)
	t.Setenv(protocol.GONB_PIPE_BACK_ENV, back)
	gonbui.IsNotebook = true
	defer func() { gonbui.IsNotebook = false }()
	got := make(chan protocol.DisplayData, 1)
	failed := make(chan error, 1)
	go func() {
		in, err := os.OpenFile(there, os.O_RDONLY, 0)
		if err != nil {
			failed <- err
			return
		}
		out, err := os.OpenFile(back, os.O_WRONLY, 0)
		if err != nil {
			failed <- err
			return
		}
		dec, enc := gob.NewDecoder(in), gob.NewEncoder(out)
		for {
			var d protocol.DisplayData
			if err := dec.Decode(&d); err != nil {
				failed <- err
				return
			}
			if sync, ok := d.Data[protocol.MIMECommValue].(protocol.CommValue); ok {
				if err := enc.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: sync.Value}); err != nil {
					failed <- err
				}
				continue
			}
			got <- d
		}
	}()
	p := Line([]float64{1, 2})
	want, err := p.PNG()
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan error, 1)
	go func() { shown <- p.Show() }()
	select {
	case err = <-shown:
	case err = <-failed:
	case <-time.After(20 * time.Second):
		t.Fatal("Show did not return")
	}
	if err != nil {
		t.Fatal(err)
	}
	d := <-got
	if data, _ := d.Data[protocol.MIMEImagePNG].([]byte); !bytes.Equal(data, want) {
		t.Error("the notebook got another picture")
	}
	cfg, err := png.DecodeConfig(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	size, _ := d.Metadata["image/png"].(map[string]any)
	if size["width"] != (cfg.Width+1)/2 || size["height"] != (cfg.Height+1)/2 {
		t.Errorf("the notebook is told %v, the picture has %d×%d pixels at twice the density", size, cfg.Width, cfg.Height)
	}
}
