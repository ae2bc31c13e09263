package ebm

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Doctor watches training and stops it when it diverges, with an error that says what happened and what to change.
// Its zero value is on. It looks at every step, but where up to 32 steps are one call (see [Train]) the store is left as after the last of
// them, and how many they are depends on the time they take: with Rollback what is left is the same each time.
type Doctor struct {
	Off       bool
	Rollback  bool    // put the store back to the last good state; else it is left as it is
	MaxGap    float64 // between the energies of data and negatives, mean of 20 steps, before it counts as a collapse. Default 10
	MaxSpread float64 // of the negatives, in standard deviations of the data, likewise. Default 10
}

// Diagnosis is the error with which the doctor stops training.
type Diagnosis struct {
	Step       int    // the training step at which it was seen
	Finding    string // what happened
	Advice     string // what to change
	RolledBack int    // the step the store was put back to; −1 where it was left as it is
}

// Error is finding and advice in one line.
func (d *Diagnosis) Error() string {
	text := fmt.Sprintf("ebm: training stopped at step %d: %s %s", d.Step, d.Finding, d.Advice)
	if d.RolledBack >= 0 {
		text += fmt.Sprintf(" The weights are back at step %d.", d.RolledBack)
	}
	return text
}

// watch is a doctor at work.
type watch struct {
	Doctor
	store       *model.Store
	gap, spread []float64 // of the last steps
	nonFinite   int       // in a row
	good        map[string]*tensors.Tensor
	goodStep    int
}

const (
	memory        = 20 // steps a finding must last
	snapshotEvery = 50 // steps between snapshots of a good state
)

func newWatch(d Doctor, store *model.Store) *watch {
	if d.MaxGap == 0 {
		d.MaxGap = 10
	}
	if d.MaxSpread == 0 {
		d.MaxSpread = 10
	}
	return &watch{Doctor: d, store: store, goodStep: -1}
}

// look examines the figures of a step, in the order of training.figures.
func (w *watch) look(step int, v []float32) *Diagnosis {
	if w.Off {
		return nil
	}
	loss, gap, norm, spread := float64(v[0]), float64(v[1]-v[2]), float64(v[3]), float64(v[4])
	d := w.examine(loss, gap, norm, spread)
	if d == nil {
		if w.Rollback && step%snapshotEvery == 0 && len(w.gap) > 0 && !(math.Abs(mean(w.gap)) >= w.MaxGap/2) { // NaN: a loss without negatives
			w.snapshot(step)
		}
		return nil
	}
	d.Step, d.RolledBack = step, -1
	if w.Rollback && w.restore() {
		d.RolledBack = w.goodStep
	}
	return d
}

func (w *watch) examine(loss, gap, norm, spread float64) *Diagnosis {
	if !isFinite(loss) || !isFinite(norm) {
		if w.nonFinite++; w.nonFinite >= 3 {
			return &Diagnosis{
				Finding: fmt.Sprintf("the loss is %g and the norm of its gradient %g, three steps in a row.", loss, norm),
				Advice:  "Lower the learning rate or the sampler's step size, set ClipNorm (1 is a good start), or use a smooth activation such as SiLU.",
			}
		}
		return nil
	}
	w.nonFinite = 0
	w.gap, w.spread = push(w.gap, gap), push(w.spread, spread)
	if len(w.gap) < memory {
		return nil
	}
	if g := mean(w.gap); g < -w.MaxGap {
		return &Diagnosis{
			Finding: fmt.Sprintf("the energy collapses: over %d steps the data's energy was %.3g below the negatives', and a trained energy keeps the two level: the sampler no longer reaches where the energy is low.", memory, -g),
			Advice:  "Take a smaller sampler step size, more steps, an L2 penalty on the energies (EnergyL2, 0.1 is a good start), or ClipNorm.",
		}
	} else if g > w.MaxGap {
		return &Diagnosis{
			Finding: fmt.Sprintf("the negatives' energy was %.3g below the data's over %d steps: the chains found a pit where there is no data, and training does not fill it.", g, memory),
			Advice:  "Raise the share of fresh chains, lower the learning rate, or add an L2 penalty on the energies (EnergyL2).",
		}
	}
	if s := mean(w.spread); s > w.MaxSpread {
		return &Diagnosis{
			Finding: fmt.Sprintf("the chains flew apart: they are spread %.3g times as wide as the data.", s),
			Advice:  "Take a smaller sampler step size, or clamp the chains to a box around the data.",
		}
	}
	return nil
}

func push(a []float64, v float64) []float64 {
	if len(a) == memory {
		a = a[1:]
	}
	return append(a, v)
}

func mean(a []float64) float64 {
	sum := 0.0
	for _, v := range a {
		sum += v
	}
	return sum / float64(len(a))
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// snapshot copies all variables to the host.
func (w *watch) snapshot(step int) {
	next := map[string]*tensors.Tensor{}
	for v := range w.store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return // a variable without a value yet: this is no state to go back to
		}
		if next[v.Path()], err = value.LocalClone(); err != nil {
			return
		}
	}
	w.good, w.goodStep = next, step
}

// restore puts the variables back; it says whether there was something to go back to.
func (w *watch) restore() bool {
	for v := range w.store.IterVariables() {
		if value, ok := w.good[v.Path()]; ok && v.SetValue(value) != nil {
			return false
		}
	}
	return w.good != nil
}
