package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/goebm/goebm/ebm"
)

func TestMerge(t *testing.T) {
	dir := t.TempDir()
	out, a, b := filepath.Join(dir, "out"), filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for path, c := range map[string]*ebm.Checkpoint{
		a: {Step: 7, Seed: 5, TotalChains: 3, State: []*tensors.Tensor{tensors.FromValue([][]float32{{1, 2}, {3, 4}})}},
		b: {Step: 7, Seed: 5, TotalChains: 3, FirstChain: 2, State: []*tensors.Tensor{tensors.FromValue([][]float32{{5, 6}})}},
	} {
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	var text bytes.Buffer
	merge := func(args ...string) error {
		cmd := root()
		cmd.SetOut(&text)
		cmd.SetArgs(append([]string{"merge"}, args...))
		return cmd.Execute()
	}
	for want, args := range map[string][]string{
		"requires at least 2 arg(s)":             {out},
		"a is one of the files to join":          {a, b, a},
		"chains 2 to 2 are in no file; the last": {out, a},
		"no such file":                           {out, a, filepath.Join(dir, "none")},
	} {
		if err := merge(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("merge %v: got the error %v, want one with %q", args, err, want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("merge %v wrote a file", args)
		}
	}
	if err := merge(out, b, a); err != nil {
		t.Fatal(err)
	}
	if want := out + ": 3 chains of 2 files, step 7, seed 5\n"; text.String() != want {
		t.Errorf("printed %q, want %q", text.String(), want)
	}
	c, err := ebm.LoadCheckpoint(out)
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float32](c.State[0]); c.Step != 7 || c.Seed != 5 || c.TotalChains != 0 || len(got) != 6 || got[4] != 5 {
		t.Errorf("merged: step %d, seed %d, %v", c.Step, c.Seed, got)
	}
}
