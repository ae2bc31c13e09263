package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
)

// Four tasks, as two schedulers start them, of which one was stopped on the way, leave files that merge to the run of one task, bit by bit.
func TestFourTasks(t *testing.T) {
	if os.Getenv("ARRAYJOB_TEST_TASK") != "" { // a task
		os.Args = append(os.Args[:1], strings.Fields(os.Getenv("ARRAYJOB_TEST_TASK"))...)
		main()
		return
	}
	dir := t.TempDir()
	start := func(index, args string) *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestFourTasks$")
		cmd.Env = append(os.Environ(), "GOMLX_BACKEND=go", "ARRAYJOB_TEST_TASK=-chains 30 -of 4 -every 7 -dir "+dir+" "+args, index)
		return cmd
	}
	if text, err := start("SLURM_ARRAY_TASK_ID=2", "-steps 14").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var tasks []*exec.Cmd
	for _, index := range []string{"SLURM_ARRAY_TASK_ID=0", "JOB_COMPLETION_INDEX=1", "SLURM_ARRAY_TASK_ID=2", "JOB_COMPLETION_INDEX=3"} {
		cmd := start(index, "-steps 20")
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, cmd)
	}
	for _, cmd := range tasks {
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "part-*.chains"))
	if err != nil || len(files) != 4 {
		t.Fatalf("files %v, error %v", files, err)
	}
	merged, err := ebm.MergeCheckpoints(files...)
	if err != nil {
		t.Fatal(err)
	}

	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	alone := job{chains: 30, steps: 20, every: 20, seed: 1, tasks: 1, dir: t.TempDir()}
	if err := alone.run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	one, err := ebm.MergeCheckpoints(filepath.Join(alone.dir, "part-0000.chains"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range one.State {
		x, y := tensors.MustCopyFlatData[float32](merged.State[i]), tensors.MustCopyFlatData[float32](want)
		if len(x) != len(y) {
			t.Fatalf("state[%d] has %d numbers, want %d", i, len(x), len(y))
		}
		for k := range x {
			if x[k] != y[k] {
				t.Fatalf("state[%d]: number %d is %g, want %g", i, k, x[k], y[k])
			}
		}
	}

	text, err := start("SLURM_ARRAY_TASK_ID=2", "-steps 20 -seed 3").CombinedOutput()
	if err == nil || !strings.Contains(string(text), "part-0002.chains holds other chains or another seed") {
		t.Errorf("another seed: error %v, printed %s", err, text)
	}
	text, err = start("SLURM_ARRAY_TASK_ID=4", "-steps 20").CombinedOutput()
	if err == nil || !strings.Contains(string(text), "task 4 of 4 for 30 chains: the index must be") {
		t.Errorf("no such task: error %v, printed %s", err, text)
	}
}
