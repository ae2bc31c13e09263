package ebm

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
)

// Checkpoint is a run of chains put down, to be taken up again: Options.Resume. The samples are then, bit by bit,
// those of a run that never stopped, however many steps each part took.
type Checkpoint struct {
	Step  int               // steps done
	Seed  uint64            // of the noise
	State []*tensors.Tensor // the kernel's state; State[0] is the position
	Cond  []*tensors.Tensor // the conditioning

	FirstChain, TotalChains int // which of how many chains these are; 0 and 0 where they are all
}

// check says what keeps a checkpoint from being resumed or saved.
func (c *Checkpoint) check() error {
	if c == nil {
		return errors.New("the checkpoint is nil")
	}
	if c.Step < 0 || len(c.State) == 0 {
		return errors.Errorf("a checkpoint must hold a state and a step ≥ 0, got %d state values and step %d", len(c.State), c.Step)
	}
	if c.FirstChain < 0 || c.FirstChain > math.MaxInt32 || c.TotalChains < 0 || c.TotalChains > math.MaxInt32 {
		return errors.Errorf("a checkpoint's chains must be numbered from 0 to 2³¹, got the first %d of %d", c.FirstChain, c.TotalChains)
	}
	for i, t := range append(append([]*tensors.Tensor{}, c.State...), c.Cond...) {
		if t == nil || !t.Ok() {
			return errors.Errorf("value %d of the checkpoint's %d was finalized or is nil", i, len(c.State)+len(c.Cond))
		}
	}
	return nil
}

// accepts says whether a checkpoint comes from this engine's kernel.
func (e *engine) accepts(c *Checkpoint) error {
	if len(c.State) != len(e.plan.state) {
		return errors.Errorf("ebm: Options.Resume holds %d state values, but %T carries %d", len(c.State), e.s.kernel, len(e.plan.state))
	}
	for i, want := range e.plan.state {
		if got := c.State[i].Shape(); !got.Equal(want) {
			return errors.Errorf("ebm: Options.Resume: state[%d] is %s, but %T carries %s there", i, got, e.s.kernel, want)
		}
	}
	return nil
}

// A part of a run has a head of its own, for programs that know of none: they would go on with the noise of other chains.
const (
	checkpointMagic = "GoEBM chains 2\n"
	partMagic       = "GoEBM chains 3\n"
)

// savedChains is a checkpoint as its file holds it.
type savedChains struct {
	Step        int
	Seed        uint64
	State, Cond []savedTensor

	FirstChain, TotalChains int
}

type savedTensor struct {
	DType dtypes.DType
	Dims  []int
	Data  []byte // as in memory, row after row, lowest byte first
}

// Save writes the checkpoint to a file. The file appears whole or not at all: it is written beside, then renamed.
func (c *Checkpoint) Save(path string) error {
	return errors.WithMessagef(catch(func() error { return c.save(path) }), "ebm: saving chains to %s", path)
}

func (c *Checkpoint) save(path string) error {
	if err := c.check(); err != nil {
		return err
	}
	chains, head := savedChains{Step: c.Step, Seed: c.Seed, FirstChain: c.FirstChain, TotalChains: c.TotalChains}, checkpointMagic
	if c.TotalChains > 0 {
		head = partMagic
	}
	for _, part := range []struct {
		from []*tensors.Tensor
		to   *[]savedTensor
	}{{c.State, &chains.State}, {c.Cond, &chains.Cond}} {
		for _, t := range part.from {
			saved := savedTensor{DType: t.DType(), Dims: t.Shape().Dimensions}
			if err := t.ConstBytes(func(data []byte) { saved.Data = bytes.Clone(data) }); err != nil {
				return err
			}
			*part.to = append(*part.to, saved)
		}
	}
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(chains); err != nil {
		return errors.WithStack(err)
	}
	file := binary.LittleEndian.AppendUint32([]byte(head), crc32.ChecksumIEEE(body.Bytes()))
	return WriteFile(path, append(file, body.Bytes()...))
}

// LoadCheckpoint reads what Save wrote; a file cut short or changed is refused.
func LoadCheckpoint(path string) (*Checkpoint, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Wrap(err, "ebm: loading chains")
	}
	n := len(checkpointMagic)
	if len(data) < n+4 || string(data[:n]) != checkpointMagic && string(data[:n]) != partMagic {
		return nil, errors.Errorf("ebm: loading chains: %s is not a file of saved chains", path)
	}
	body := data[n+4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(data[n:]) {
		return nil, errors.Errorf("ebm: loading chains: %s is damaged: its checksum does not match", path)
	}
	c := &Checkpoint{}
	if err := catch(func() error { return c.decode(body) }); err != nil {
		return nil, errors.WithMessagef(err, "ebm: loading chains: %s", path)
	}
	return c, nil
}

// decode reads a file's body.
func (c *Checkpoint) decode(body []byte) error {
	var chains savedChains
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&chains); err != nil {
		return errors.WithStack(err)
	}
	c.Step, c.Seed, c.FirstChain, c.TotalChains = chains.Step, chains.Seed, chains.FirstChain, chains.TotalChains
	for i, saved := range append(chains.State, chains.Cond...) {
		t, err := saved.tensor()
		if err != nil {
			return errors.WithMessagef(err, "value %d", i)
		}
		if i < len(chains.State) {
			c.State = append(c.State, t)
		} else {
			c.Cond = append(c.Cond, t)
		}
	}
	return c.check()
}

func (s savedTensor) tensor() (*tensors.Tensor, error) {
	size := 1
	for _, d := range s.Dims {
		if d < 1 || size > len(s.Data)/d {
			return nil, errors.Errorf("%d bytes are no tensor of shape %v", len(s.Data), s.Dims)
		}
		size *= d
	}
	shape := shapes.Make(s.DType, s.Dims...)
	if int(shape.ByteSize()) != len(s.Data) {
		return nil, errors.Errorf("%d bytes are no tensor of shape %s", len(s.Data), shape)
	}
	t := tensors.FromShape(shape)
	return t, t.MutableBytes(func(data []byte) { copy(data, s.Data) })
}

// WriteFile writes a file so that it appears whole or not at all, even where the disk fills up or the process dies.
func WriteFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing to remove once renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
