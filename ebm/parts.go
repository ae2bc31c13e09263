package ebm

import (
	"reflect"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Coupled is a kernel or an energy whose chains feel each other. A part of the chains (Options.TotalChains) would not move as it does among
// all of them, so such a run is refused, also where the kernel or energy is a field of another. One of your own that couples chains says so by this.
type Coupled interface {
	// Coupled says what the chains have in common, in a few words. It is asked of zero values too.
	Coupled() string
}

// coupling is what a kernel or energy, or one that it holds, says of its chains; "" where they are independent.
func coupling(value any) string { return couplingOf(reflect.ValueOf(value)) }

func couplingOf(v reflect.Value) string {
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) {
		if v.IsNil() {
			return ""
		}
		if v.Kind() == reflect.Pointer && !moves(v.Type()) {
			return ""
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return ""
	}
	t := v.Type()
	if reflect.PointerTo(t).Implements(reflect.TypeFor[Coupled]()) {
		return t.String() + ": " + reflect.New(t).Interface().(Coupled).Coupled()
	}
	switch {
	case t.Kind() == reflect.Struct && moves(t):
		for i := range v.NumField() {
			if why := couplingOf(v.Field(i)); why != "" {
				return why
			}
		}
	case t.Kind() == reflect.Slice && (moves(t) || moves(t.Elem())):
		for i := range v.Len() {
			if why := couplingOf(v.Index(i)); why != "" {
				return why
			}
		}
	}
	return ""
}

// moves tells whether a type is a kernel's or an energy's.
func moves(t reflect.Type) bool {
	if t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	kernel, energy := reflect.TypeFor[Kernel](), reflect.TypeFor[Energy]()
	return t.Implements(kernel) || t.Implements(energy)
}

// part says which chains of a larger run a Rand draws for.
type part struct{ first, n int }

// part is nil where the run is whole.
func (r *request) part() *part {
	if r.TotalChains == 0 {
		return nil
	}
	return &part{r.FirstChain, r.x.Dimensions[0]}
}

// of is the same noise, drawn for a part of the chains.
func (r *Rand) of(p *part) *Rand {
	r.part = p
	return r
}

// Shared makes a draw that all chains have in common: where they are a part of a larger run, its rows are not theirs.
func (r *Rand) Shared(draw func(r *Rand) *Node) *Node {
	p := r.part
	r.part = nil
	defer func() { r.part = p }()
	return draw(r)
}

// firstRow is the number of a draw's first row.
func (r *Rand) firstRow(shape shapes.Shape) uint32 {
	if r.part == nil || shape.Rank() == 0 {
		return 0
	}
	if n := shape.Dimensions[0]; n != r.part.n {
		exceptions.Panicf("ebm: Options.TotalChains: the kernel draws noise of shape %s, which has no row for each of %d chains, so that a part of the chains is not "+
			"what it is among all; what all chains share is drawn by Rand.Shared", shape, r.part.n)
	}
	return uint32(r.part.first)
}

// splits says what keeps a kernel and an energy from running a part of the chains.
func (e *engine) splits() error {
	for _, v := range []any{e.s.kernel, e.s.energy} {
		if why := coupling(v); why != "" {
			return errors.Errorf("ebm: Options.TotalChains: chains that feel each other can't be run in parts: %s", why)
		}
	}
	for i, shape := range e.plan.state {
		if shape.Rank() == 0 || shape.Dimensions[0] != e.x.Dimensions[0] {
			return errors.Errorf("ebm: Options.TotalChains: state[%d] of %T is %s and not one row for each of %d chains: the chains can't be run in parts",
				i, e.s.kernel, shape, e.x.Dimensions[0])
		}
	}
	return nil
}

// checkPart settles which chains of how many these are.
func (r *request) checkPart() error {
	n := r.x.Dimensions[0]
	switch {
	case r.TotalChains == 0 && r.FirstChain > 0:
		return errors.Errorf("ebm: Options.TotalChains must say how many chains there are in all where FirstChain is %d, got 0", r.FirstChain)
	case r.TotalChains > 0 && r.TotalChains < r.FirstChain+n:
		return errors.Errorf("ebm: Options.TotalChains must be at least FirstChain + Chains = %d + %d, got %d", r.FirstChain, n, r.TotalChains)
	}
	return nil
}
