package ebm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/pkg/errors"
)

// resume loads the newest checkpoint, or seeds the initial weights where there is none.
func (t *training) resume() error {
	if t.Checkpoint != "" {
		if err := os.MkdirAll(t.Checkpoint, 0o777); err != nil {
			return errors.Wrap(err, "ebm: TrainOptions.Checkpoint")
		}
		newest, err := checkpoints(t.Checkpoint)
		if err != nil {
			return err
		}
		if err := removeUnfinished(t.Checkpoint); err != nil {
			return err
		}
		if len(newest) > 0 {
			return t.load(newest[len(newest)-1])
		}
	}
	t.step = int(optimizer.GetGlobalStep(t.store))
	if t.step > 0 { // the store was trained before, in this process
		return t.checkSeekable()
	}
	return t.store.SetRNGStateFromSeed(int64(t.Seed))
}

func (t *training) checkSeekable() error {
	if t.seeker == nil {
		return errors.Errorf("ebm: Train: step %d was reached before, but the data %q has no Seek: it can't go on from there", t.step, t.data.Name())
	}
	return nil
}

func (t *training) load(dir string) error {
	if err := t.loadVariables(dir); err != nil {
		return errors.WithMessagef(err, "ebm: loading the checkpoint %s", dir)
	}
	t.step = int(optimizer.GetGlobalStep(t.store))
	t.saved = t.step
	key, err := t.keyVar().Value()
	if err != nil {
		return err
	}
	words, err := tensors.CopyFlatData[uint32](key)
	if err != nil {
		return err
	}
	if seed := uint64(words[0]) | uint64(words[1])<<32; seed != t.Seed {
		return errors.Errorf("ebm: TrainOptions.Seed is %d, but the checkpoint %s was trained with %d", t.Seed, dir, seed)
	}
	return t.checkSeekable()
}

// loadVariables reads all variables of a checkpoint, in the order in which they were saved. The order of the gradients, and so of the
// sum that is their norm, follows from it; checkpoint.Config's Immediate would load them in the order of a map, another one each time.
func (t *training) loadVariables(dir string) error {
	defer t.store.SetLoader(t.store.Loader()) // GoMLX's handler would stay in the way of every later look-up
	h, err := checkpoint.Load(t.store).Dir(dir).ExcludeAllParams().Done()
	if err != nil {
		return err
	}
	names, err := h.ListCheckpoints()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, names[len(names)-1]+checkpoint.JsonNameSuffix))
	if err != nil {
		return err
	}
	var index struct {
		Variables []struct{ ParameterName string }
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return err
	}
	for _, v := range index.Variables {
		_, path, _ := strings.Cut(v.ParameterName, "/") // after GoMLX's prefix
		if v := t.store.GetVariable("/" + path); v != nil && !v.DType().IsFloat() {
			v.SetTrainable(false) // GoMLX's generator: it does not say so itself where it finds its state
		}
	}
	if left := h.LoadedVariables(); len(left) > 0 {
		return errors.Errorf("%d variables could not be loaded", len(left))
	}
	return nil
}

// save writes a checkpoint with GoMLX's package into a directory beside, which it then renames: a checkpoint is there whole or
// not at all, whatever ends the process.
func (t *training) save() error {
	name := filepath.Join(t.Checkpoint, fmt.Sprintf("step-%09d", t.step))
	tmp, err := os.MkdirTemp(t.Checkpoint, unfinished+"*")
	if err != nil {
		return errors.Wrap(err, "ebm: TrainOptions.Checkpoint")
	}
	defer os.RemoveAll(tmp)                   // nothing to remove once renamed
	defer t.store.SetLoader(t.store.Loader()) // as in loadVariables
	h, err := checkpoint.Build(t.store).Dir(tmp).ExcludeAllParams().WithCompression(checkpoint.BinUncompressed).Keep(-1).Done()
	if err == nil {
		err = h.Save()
	}
	if err == nil {
		err = syncFiles(tmp)
	}
	if err == nil {
		if err = os.RemoveAll(name); err == nil {
			err = os.Rename(tmp, name)
		}
	}
	if err != nil {
		return errors.WithMessagef(err, "ebm: writing the checkpoint %s", name)
	}
	t.saved = t.step
	all, err := checkpoints(t.Checkpoint)
	if err != nil {
		return err
	}
	for _, old := range all[:max(0, len(all)-t.Keep)] {
		if err := os.RemoveAll(old); err != nil {
			return errors.Wrap(err, "ebm: removing an old checkpoint")
		}
	}
	return nil
}

// unfinished begins the name of a checkpoint that is being written.
const unfinished = ".writing-"

// checkpoints lists the whole ones, oldest first.
func checkpoints(dir string) ([]string, error) { return foldersIn(dir, "step-") }

// removeUnfinished removes what processes left behind that were killed while they wrote a checkpoint.
func removeUnfinished(dir string) error {
	left, err := foldersIn(dir, unfinished)
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return errors.Wrap(err, "ebm: removing an unfinished checkpoint")
		}
	}
	return err
}

// foldersIn lists the folders whose names begin so, in the order of their names.
func foldersIn(dir, begin string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, errors.Wrap(err, "ebm: TrainOptions.Checkpoint")
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), begin) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	sort.Strings(out)
	return out, nil
}

// syncFiles waits until the files of a directory are on disk.
func syncFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		err = f.Sync()
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}
