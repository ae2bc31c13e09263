//go:build unix

package ebm_test

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// What is saved comes back, and goes on bit by bit as the run would have.
func TestSaveAndLoad(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			store := model.NewStore()
			s := newSampler(t, b, store, weighted(store, dtype), walk{0.5})
			o := ebm.Options{Start: grid(dtype, 5, 3), Cond: []*tensors.Tensor{grid(dtype, 5)}, Steps: 30, Seed: 1<<40 | 7}
			whole := sample(t, s, o)
			o.Steps = 13
			part := sample(t, s, o)
			path := filepath.Join(t.TempDir(), "chains")
			for range 2 { // the second replaces the first
				if err := part.Checkpoint.Save(path); err != nil {
					t.Fatal(err)
				}
			}
			if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
				t.Errorf("beside the checkpoint there is something else: %v, error %v", files, err)
			}
			c, err := ebm.LoadCheckpoint(path)
			if err != nil {
				t.Fatal(err)
			}
			if c.Step != 13 || c.Seed != o.Seed || len(c.State) != 2 || len(c.Cond) != 1 {
				t.Errorf("loaded step %d, seed %d, %d state values and %d of conditioning", c.Step, c.Seed, len(c.State), len(c.Cond))
			}
			rest := sample(t, s, ebm.Options{Resume: c, Steps: 17})
			alike(t, "loaded and resumed", numbers(t, rest.X), numbers(t, whole.X), 0)
			alike(t, "the cache", numbers(t, rest.Checkpoint.State[1]), numbers(t, whole.Checkpoint.State[1]), 0)

			other := newSampler(t, b, store, weighted(store, dtype), drift{})
			want := "ebm: Options.Resume holds 2 state values, but ebm_test.drift carries 1"
			if _, err := other.Sample(context.Background(), ebm.Options{Resume: c, Steps: 1}); err == nil || err.Error() != want {
				t.Errorf("another kernel: error %v, want %q", err, want)
			}
		}
	})
}

// saved writes a small checkpoint and gives its path and bytes.
func saved(t testing.TB) (path string, data []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "chains")
	c := &ebm.Checkpoint{Step: 3, Seed: 4, State: []*tensors.Tensor{grid(dtypes.Float32, 4, 2)}}
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

// A file cut short anywhere, or with any byte changed, is refused with an error that names it.
func TestDamagedChains(t *testing.T) {
	path, data := saved(t)
	try := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := ebm.LoadCheckpoint(path)
		if err == nil || c != nil || !strings.Contains(err.Error(), path) ||
			!strings.Contains(err.Error(), "is damaged: its checksum does not match") && !strings.Contains(err.Error(), "is not a file of saved chains") {
			t.Errorf("%s: got %v and error %v", what, c, err)
		}
	}
	for n := range data {
		try("cut short", data[:n])
		flipped := append([]byte{}, data...)
		flipped[n] ^= 0x10
		try("a flipped bit", flipped)
	}
	try("something appended", append(append([]byte{}, data...), 0))
	if _, err := ebm.LoadCheckpoint(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "ebm: loading chains: open") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: error %v", err)
	}
	if _, err := ebm.LoadCheckpoint(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: error %v", err)
	}
}

// What cannot be saved leaves an error that names the file, and the old file as it was.
func TestSaveFails(t *testing.T) {
	path, data := saved(t)
	c := &ebm.Checkpoint{Step: 1, State: []*tensors.Tensor{grid(dtypes.Float64, 100, 10)}}
	dir := t.TempDir()
	for _, f := range []struct {
		want, path string
		c          *ebm.Checkpoint
	}{
		{"no such file or directory", filepath.Join(dir, "none", "chains"), c},
		{"file exists", dir, c}, // a directory in its place
		{"not a directory", filepath.Join(path, "chains"), c},
		{"value 0 of the checkpoint's 1 was finalized or is nil", path, &ebm.Checkpoint{State: []*tensors.Tensor{finalized()}}},
		{"a checkpoint must hold a state and a step ≥ 0, got 0 state values and step 0", path, &ebm.Checkpoint{}},
		{"the checkpoint is nil", path, nil},
	} {
		if err := f.c.Save(f.path); err == nil || !strings.HasPrefix(err.Error(), "ebm: saving chains to "+f.path+": ") || !strings.Contains(err.Error(), f.want) {
			t.Errorf("saving to %s: error %v, want one with %q", f.path, err, f.want)
		}
	}

	// A disk that fills up: no file may grow beyond 1000 bytes.
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	err := c.Save(path)
	if e := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); e != nil {
		t.Fatal(e)
	}
	if err == nil || !strings.Contains(err.Error(), "ebm: saving chains to "+path) || !strings.Contains(err.Error(), "file too large") {
		t.Errorf("a full disk: error %v", err)
	}
	now, err := os.ReadFile(path)
	if err != nil || string(now) != string(data) {
		t.Errorf("the old checkpoint was %d bytes and is %d, error %v", len(data), len(now), err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("a failed save leaves %v, error %v", files, err)
	}
}

// Whatever a file holds, even behind a right checksum, loading it gives a checkpoint or an error.
func FuzzLoadCheckpoint(f *testing.F) {
	_, data := saved(f)
	const head = len("GoEBM chains 2\n") + 4
	f.Add(data[head:])
	f.Add(data[head : len(data)-3])
	f.Add(data[head : head+20])
	f.Add([]byte{})
	for i := head; i < len(data); i += 7 {
		spoilt := append([]byte{}, data[head:]...)
		spoilt[i-head] ^= 0xff
		f.Add(spoilt)
	}
	path := filepath.Join(f.TempDir(), "fuzzed")
	f.Fuzz(func(t *testing.T, body []byte) {
		file := binary.LittleEndian.AppendUint32([]byte("GoEBM chains 2\n"), crc32.ChecksumIEEE(body))
		if err := os.WriteFile(path, append(file, body...), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := ebm.LoadCheckpoint(path)
		if (c == nil) == (err == nil) {
			t.Errorf("got %v and error %v", c, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "ebm: loading chains: "+path) {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}
