// Arrayjob runs some of the chains of one large run: a task of a Slurm array job, a pod of a Kubernetes indexed Job, or a process started by hand.
// The files of all tasks, joined by `ebm merge`, are the checkpoint that one process with all chains would have left.
//
//	go run ./examples/arrayjob -of 4 -index 0     # and so on to index 3
//	go run ./cmd/ebm merge all.chains part-*.chains
//
// A task that is killed and started again goes on from its file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/gomlx/compute"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/samplers"
)

// job is what all tasks agree on, and which of them this is.
type job struct {
	chains, steps, every int
	seed                 uint64
	tasks, index         int
	dir                  string
}

func main() {
	var j job
	flag.IntVar(&j.chains, "chains", 100000, "chains of all tasks together")
	flag.IntVar(&j.steps, "steps", 2000, "steps of each chain")
	flag.IntVar(&j.every, "every", 500, "steps between checkpoints")
	flag.Uint64Var(&j.seed, "seed", 1, "of all noise: the same for all tasks, since each chain's noise follows from its number")
	flag.IntVar(&j.tasks, "of", 1, "tasks in all; said here and not read from the scheduler, whose count is another where a few tasks are submitted again")
	flag.IntVar(&j.index, "index", -1, "of this task, from 0. Default: $SLURM_ARRAY_TASK_ID or $JOB_COMPLETION_INDEX")
	flag.StringVar(&j.dir, "dir", ".", "where the files go, for all tasks the same")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := j.findIndex()
	var b compute.Backend
	if err == nil {
		b, err = backend.New()
	}
	if err == nil {
		err = j.run(ctx, b)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "arrayjob:", err)
		os.Exit(1)
	}
}

// findIndex takes the index from the scheduler where it was not given.
func (j *job) findIndex() error {
	for _, name := range []string{"SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"} {
		if text := os.Getenv(name); text != "" && j.index < 0 {
			var err error
			if j.index, err = strconv.Atoi(text); err != nil {
				return fmt.Errorf("$%s: %w", name, err)
			}
		}
	}
	if j.tasks < 1 || j.index < 0 || j.index >= j.tasks || j.tasks > j.chains {
		return fmt.Errorf("task %d of %d for %d chains: the index must be from 0 to below -of, and that no more than the chains", j.index, j.tasks, j.chains)
	}
	return nil
}

func (j job) run(ctx context.Context, b compute.Backend) error {
	sampler, err := ebm.NewSampler(b, nil, ebm.DoubleWell{BarrierHeight: 2}, samplers.HMC{StepSize: ebm.Fixed(0.1), Leapfrog: 10})
	if err != nil {
		return err
	}
	defer sampler.Finalize()

	path := filepath.Join(j.dir, fmt.Sprintf("part-%04d.chains", j.index))
	first := j.chains * j.index / j.tasks
	o := ebm.Options{Dim: 2, Seed: j.seed, FirstChain: first, Chains: j.chains*(j.index+1)/j.tasks - first, TotalChains: j.chains}
	done := 0
	saved, err := ebm.LoadCheckpoint(path)
	switch {
	case err == nil && (saved.Seed != j.seed || saved.FirstChain != first || saved.TotalChains != j.chains || saved.State[0].Shape().Dimensions[0] != o.Chains):
		return fmt.Errorf("%s holds other chains or another seed: remove it, or take another -dir", path)
	case err == nil:
		o, done = ebm.Options{Resume: saved}, saved.Step
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for done < j.steps {
		o.Steps = min(j.every, j.steps-done)
		out, err := sampler.Sample(ctx, o)
		if out == nil {
			return err
		}
		if e := out.Checkpoint.Save(path); e != nil {
			return e
		}
		if err != nil { // the scheduler wants the machine back; what was done is saved
			return err
		}
		o, done = ebm.Options{Resume: out.Checkpoint}, out.Checkpoint.Step
	}
	fmt.Printf("%s: chains %d to %d of %d, %d steps\n", path, first, j.chains*(j.index+1)/j.tasks-1, j.chains, done)
	return nil
}
