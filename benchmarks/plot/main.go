// Command plot draws benchmarks/results.json as docs/img/speed.png: how many times faster GoEBM is than
// TorchEBM and than JAX, a pair of bars a row, on a logarithmic axis with a line at 1.
//
//	go run ./benchmarks/plot [-results benchmarks/results.json] [-out docs/img/speed.png]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// entry is what the picture needs of an entry of results.json.
type entry struct {
	Row        string   `json:"row"`
	Backend    string   `json:"backend"`
	VsTorchEBM *float64 `json:"vs_torchebm"`
	VsJAX      *float64 `json:"vs_jax"`
}

// names spells out the parts of a row's name that are not a size.
var names = strings.NewReplacer(
	"langevin_doublewell", "Langevin, double well",
	"langevin_mlp", "Langevin, MLP 2-64-64-1",
	"hmc_gaussian10d_L10", "HMC L=10, Gaussian",
	"pcd10_train_step_128", "PCD-10 training step, batch 128",
	"sm_exact_train_step_128", "exact score matching step",
	"ssm5_train_step_128", "sliced score matching step, 5 directions",
	"dsm_train_step_128", "denoising score matching step",
	"eqm_train_step_128", "equilibrium matching step",
	"fm_train_step_256", "flow matching step, batch 256",
	"flow_sample_heun50_10000", "10000 points by a flow, Heun, 50 steps",
	"adaptive_dopri5_mixed", "adaptive Dopri5, 1000 chains of mixed stiffness",
	"dit_s2_gradients", "gradients of a transformer, S/2,",
	"guided_heun50", "guided sampling by a small transformer",
	"first_sample", "first sample of a new process",
	"grid_langevin", "Langevin",
	"grid_hmc", "HMC L=10",
	"grid_gradient_descent", "gradient descent",
	"grid_nesterov", "Nesterov",
	"grid_euler_maruyama", "Euler–Maruyama",
	"grid_heun", "Heun with noise",
	"grid_rk4", "RK4",
	"grid_leapfrog", "leapfrog",
	"_", "  ", "x", "×",
)

// sections group the rows; each has a heading.
var sections = []struct {
	heading string
	holds   func(e entry) bool
}{
	{"GoEBM on XLA", func(e entry) bool { return e.Backend != "go" && !strings.HasPrefix(e.Row, "grid_") }},
	{"TorchEBM's benchmark grid, on XLA", func(e entry) bool { return e.Backend != "go" && strings.HasPrefix(e.Row, "grid_") }},
	{"GoEBM's pure Go backend", func(e entry) bool { return e.Backend == "go" }},
}

var (
	torchColor = color.RGBA{R: 0xdd, G: 0x6b, B: 0x3d, A: 255}
	jaxColor   = color.RGBA{R: 0x2f, G: 0x6f, B: 0x9f, A: 255}
	gridColor  = color.Gray{Y: 0xe2}
	textColor  = color.Gray{Y: 0x28}
)

const (
	dataWidth = 13 * vg.Centimeter
	rowHeight = 0.6 * vg.Centimeter
	head      = 1.9 * vg.Centimeter // the title and the legend
	foot      = 1.2 * vg.Centimeter // the axis
	margin    = 0.4 * vg.Centimeter
	dpi       = 144
)

func main() {
	results := flag.String("results", "benchmarks/results.json", "what benchmarks/run.py measured")
	out := flag.String("out", "docs/img/speed.png", "the picture to write")
	flag.Parse()
	if err := run(*results, *out); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(results, out string) error {
	text, err := os.ReadFile(results)
	if err != nil {
		return err
	}
	var entries []entry
	if err := json.Unmarshal(text, &entries); err != nil {
		return fmt.Errorf("%s: %w", results, err)
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { // those of ESS are no times, and one number of steps is enough
		return e.VsTorchEBM == nil && e.VsJAX == nil || strings.HasPrefix(e.Row, "steps_")
	})
	if len(entries) == 0 {
		return fmt.Errorf("%s has no entries", results)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	canvas := picture(entries)
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// style is sans-serif text of a size in points.
func style(size float64, bold bool, x text.XAlignment, y text.YAlignment) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	if bold {
		f.Weight = 3 // golang.org/x/image/font.WeightBold
	}
	return text.Style{Font: f, Color: textColor, Handler: plot.DefaultTextHandler, XAlign: x, YAlign: y}
}

// picture lays the sections out from top to bottom: labels on the left, bars on the right.
func picture(entries []entry) *vgimg.Canvas {
	p := plot.New()
	p.HideY()
	p.X.Label.Text = "its time ÷ GoEBM's (medians, logarithmic scale)"
	p.X.Label.TextStyle.Font = style(8, false, draw.XLeft, draw.YBottom).Font
	p.X.Tick.Label.Font = style(8, false, draw.XLeft, draw.YBottom).Font
	p.X.Scale = plot.LogScale{}

	numbers := style(7, false, draw.XLeft, draw.YCenter)
	torch, jax := &bars{color: torchColor, style: numbers}, &bars{color: jaxColor, style: numbers}
	rows := &labels{style: style(9, false, draw.XRight, draw.YCenter)}
	headings := &labels{style: style(9, true, draw.XLeft, draw.YCenter)}
	low, high, y := 1., 1., 0.
	for _, s := range sections {
		headings.add(y, s.heading)
		y--
		for _, e := range entries {
			if !s.holds(e) {
				continue
			}
			rows.add(y, names.Replace(e.Row))
			torch.add(y+0.2, e.VsTorchEBM)
			jax.add(y-0.2, e.VsJAX)
			for _, v := range []*float64{e.VsTorchEBM, e.VsJAX} {
				if v != nil {
					low, high = math.Min(low, *v), math.Max(high, *v)
				}
			}
			y--
		}
	}
	labelWidth := rows.width() + vg.Points(8)
	headings.offset, rows.offset = labelWidth, vg.Points(6)
	p.Y.Min, p.Y.Max = y+0.4, 0.5
	p.X.Min, p.X.Max = low/1.2, high*1.3 // room for the numbers beside the bars
	p.X.Tick.Marker = ticks(p.X.Min, p.X.Max)
	p.Add(verticals{}, torch, jax, line{}, rows, headings)

	canvas := vgimg.NewWith(vgimg.UseWH(labelWidth+dataWidth+2*margin, head+foot+rowHeight*vg.Length(p.Y.Max-p.Y.Min)),
		vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	c := draw.New(canvas)
	p.Draw(draw.Crop(c, margin+labelWidth, -margin, margin, -head))

	at := vg.Point{X: c.Min.X + margin, Y: c.Max.Y - vg.Points(10)}
	c.FillText(style(13, true, draw.XLeft, draw.YTop), at, "How many times faster GoEBM is, on the same CPU")
	at.Y -= vg.Points(26)
	for _, key := range []struct {
		bars *bars
		text string
	}{{torch, "than TorchEBM 0.8.9, eager"}, {jax, "than JAX, hand-jitted"}} {
		rectangle(c, key.bars.color, at.X, at.X+vg.Points(16), at.Y-vg.Points(4), at.Y+vg.Points(4))
		named := style(9, false, draw.XLeft, draw.YCenter)
		c.FillText(named, vg.Point{X: at.X + vg.Points(20), Y: at.Y}, key.text)
		at.X += vg.Points(40) + named.Width(key.text)
	}
	c.FillText(style(9, false, draw.XLeft, draw.YCenter), at, "sizes: chains × dimension × steps")
	return canvas
}

func rectangle(c draw.Canvas, fill color.Color, left, right, low, high vg.Length) {
	c.FillPolygon(fill, []vg.Point{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}})
}

// labels is a plotter of texts to the left of the axis.
type labels struct {
	at     []float64
	text   []string
	offset vg.Length // to the left of the axis
	style  text.Style
}

func (l *labels) add(at float64, text string) { l.at, l.text = append(l.at, at), append(l.text, text) }

func (l *labels) width() vg.Length {
	var width vg.Length
	for _, t := range l.text {
		width = max(width, l.style.Width(t))
	}
	return width
}

// Plot implements plot.Plotter.
func (l *labels) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	for i, t := range l.text {
		c.FillText(l.style, vg.Point{X: c.Min.X - l.offset, Y: y(l.at[i])}, t)
	}
}

// ticks are 1, 2 and 5 of each decade.
func ticks(low, high float64) plot.ConstantTicks {
	var out plot.ConstantTicks
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
		for _, k := range []float64{1, 2, 5} {
			if v := k * decade; v >= low && v <= high {
				out = append(out, plot.Tick{Value: v, Label: fmt.Sprintf("%.3g", v)})
			}
		}
	}
	return out
}

// bars is a plotter of horizontal bars that start at 1, since a logarithmic axis has no 0.
type bars struct {
	at    []float64
	value []float64
	color color.Color
	style text.Style // of the number beside a bar
}

func (b *bars) add(at float64, value *float64) {
	if value != nil {
		b.at, b.value = append(b.at, at), append(b.value, *value)
	}
}

// Plot implements plot.Plotter.
func (b *bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i, v := range b.value {
		left, right := x(math.Min(v, 1)), x(math.Max(v, 1))
		rectangle(c, b.color, left, right, y(b.at[i]-0.17), y(b.at[i]+0.17))
		c.FillText(b.style, vg.Point{X: right + vg.Points(3), Y: y(b.at[i])}, number(v))
	}
}

func number(v float64) string {
	if v < 1 {
		return fmt.Sprintf("%.2g", v)
	}
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// verticals draws a thin line at each tick of the x axis.
type verticals struct{}

func (verticals) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		c.StrokeLine2(draw.LineStyle{Color: gridColor, Width: vg.Points(0.5)}, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
	}
}

// line marks the ratio 1.
type line struct{}

func (line) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	c.StrokeLine2(draw.LineStyle{Color: textColor, Width: vg.Points(1.2)}, x(1), c.Min.Y, x(1), c.Max.Y)
}
