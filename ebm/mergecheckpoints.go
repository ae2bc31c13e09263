package ebm

import (
	"cmp"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
)

// MergeCheckpoints joins files of the parts of a run (Options.FirstChain, TotalChains), in whatever order they are given, into the
// checkpoint that the run of all chains in one process would have left. They must be of one run, stopped at the same step, with no chain
// missing and none twice; what is wrong is said of the file.
func MergeCheckpoints(paths ...string) (*Checkpoint, error) {
	if len(paths) == 0 {
		return nil, errors.New("ebm: MergeCheckpoints: no files are given")
	}
	var parts []partFile
	for _, path := range paths {
		p, err := loadPart(path)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	slices.SortStableFunc(parts, func(a, b partFile) int { return cmp.Compare(a.FirstChain, b.FirstChain) })
	if err := makeUp(parts); err != nil {
		return nil, err
	}
	one := parts[0]
	all := &Checkpoint{Step: one.Step, Seed: one.Seed}
	for k := range one.values() {
		joined, err := joinRows(parts, k)
		if err != nil {
			return nil, errors.WithMessage(err, "ebm: MergeCheckpoints")
		}
		if k < len(one.State) {
			all.State = append(all.State, joined)
		} else {
			all.Cond = append(all.Cond, joined)
		}
	}
	return all, nil
}

// partFile is a part of a run, and where it was read.
type partFile struct {
	path string
	*Checkpoint
}

func loadPart(path string) (p partFile, err error) {
	c, err := LoadCheckpoint(path)
	if err != nil {
		return p, err
	}
	if c.TotalChains == 0 {
		return p, errors.Errorf("ebm: MergeCheckpoints: %s is a whole run and no part of one: it was sampled without Options.TotalChains", path)
	}
	if x := c.State[0].Shape(); x.Rank() == 0 || c.FirstChain+x.Dimensions[0] > c.TotalChains {
		return p, errors.Errorf("ebm: MergeCheckpoints: %s says that its positions %s are chains from %d on, of %d", path, x, c.FirstChain, c.TotalChains)
	}
	return partFile{path, c}, nil
}

// makeUp says what keeps parts, by their first chains, from being all chains of one run.
func makeUp(parts []partFile) error {
	one, next := parts[0], 0
	for i, p := range parts {
		if err := p.sameRun(one); err != nil {
			return err
		}
		switch {
		case p.FirstChain > next && i == 0:
			return errors.Errorf("ebm: MergeCheckpoints: chains 0 to %d are in no file; the first is %s", p.FirstChain-1, p.path)
		case p.FirstChain > next:
			return errors.Errorf("ebm: MergeCheckpoints: chains %d to %d are in no file, between %s and %s", next, p.FirstChain-1, parts[i-1].path, p.path)
		case p.FirstChain < next:
			return errors.Errorf("ebm: MergeCheckpoints: chains %d to %d are in both %s and %s", p.FirstChain, min(next, p.FirstChain+p.rows())-1, parts[i-1].path, p.path)
		}
		if err := p.sameKernel(one); err != nil {
			return err
		}
		next += p.rows()
	}
	if last := parts[len(parts)-1]; next != one.TotalChains {
		return errors.Errorf("ebm: MergeCheckpoints: chains %d to %d are in no file; the last is %s", next, one.TotalChains-1, last.path)
	}
	return nil
}

// sameRun says in what a part is of another run than one.
func (p partFile) sameRun(one partFile) error {
	differs := func(what string, a, b any) error {
		return errors.Errorf("ebm: MergeCheckpoints: %s has %s %v, but %s has %v", p.path, what, b, one.path, a)
	}
	switch {
	case p.Seed != one.Seed:
		return differs("seed", one.Seed, p.Seed)
	case p.TotalChains != one.TotalChains:
		return differs("a total number of chains of", one.TotalChains, p.TotalChains)
	case p.Step != one.Step:
		return differs("step", one.Step, p.Step)
	}
	return nil
}

// sameKernel says in what a part's values are not of the kind that one has.
func (p partFile) sameKernel(one partFile) error {
	if len(p.State) != len(one.State) || len(p.Cond) != len(one.Cond) {
		return errors.Errorf("ebm: MergeCheckpoints: %s holds %d state values and %d of conditioning, but %s holds %d and %d: they come from different kernels",
			p.path, len(p.State), len(p.Cond), one.path, len(one.State), len(one.Cond))
	}
	for k, t := range p.values() {
		got, want := t.Shape(), one.values()[k].Shape()
		if got.DType != want.DType || got.Rank() == 0 || got.Dimensions[0] != p.rows() || !slices.Equal(got.Dimensions[1:], want.Dimensions[1:]) {
			return errors.Errorf("ebm: MergeCheckpoints: value %d of %s is %s, which does not go with the %s of %s: want a row for each of its chains", k, p.path, got, want, one.path)
		}
	}
	return nil
}

// joinRows is the k-th value of all chains.
func joinRows(parts []partFile, k int) (*tensors.Tensor, error) {
	shape := parts[0].values()[k].Shape().Clone()
	shape.Dimensions[0] = parts[0].TotalChains
	joined := tensors.FromShape(shape)
	var err error
	e := joined.MutableBytes(func(to []byte) {
		for _, p := range parts {
			if e := p.values()[k].ConstBytes(func(from []byte) { to = to[copy(to, from):] }); e != nil {
				err = e
			}
		}
	})
	return joined, cmp.Or(e, err)
}

// values are the state and the conditioning.
func (c *Checkpoint) values() []*tensors.Tensor { return slices.Concat(c.State, c.Cond) }

// rows is the number of chains.
func (c *Checkpoint) rows() int { return c.State[0].Shape().Dimensions[0] }
