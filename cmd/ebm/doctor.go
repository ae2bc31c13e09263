package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

func doctorCommand() *cobra.Command {
	var check string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what works on this machine, what is missing, and how to get it",
		Long: `Say what works on this machine, what is missing, and the line to paste to get it.

Each backend is tried with a small computation in a process of its own. The exit status is 0 as long as one of them
works.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check != "" {
				return tryBackend(cmd.OutOrStdout(), check)
			}
			return doctor(cmd.Context(), cmd.OutOrStdout(), backend.Probe())
		},
	}
	cmd.Flags().StringVar(&check, "check", "", "try one backend only, written as in GOMLX_BACKEND")
	return cmd
}

// doctor prints one line for each thing looked for, and then the lines to paste.
func doctor(ctx context.Context, out io.Writer, found backend.Found) error {
	var paste []string
	line := func(ok bool, what, is string) {
		mark := "ok     "
		if !ok {
			mark = "missing"
		}
		fmt.Fprintf(out, "%s  %-12s %s\n", mark, what, is)
	}
	working := false
	try := func(what, config string) bool {
		is, err := tryApart(ctx, config)
		if err != nil {
			is = err.Error()
		}
		line(err == nil, what, is)
		working = working || err == nil
		return err == nil
	}

	fmt.Fprintf(out, "Go %s on %s/%s, %d cores\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if found.SettingSet {
		if !try("GOMLX_BACKEND", found.Setting) {
			paste = append(paste, "unset GOMLX_BACKEND    # it names a backend that does not work here")
		}
	}
	seen := map[string]bool{}
	for _, p := range found.Plugins {
		if seen[p.Platform] = true; p.Platform == "cuda" && !found.GPU {
			fmt.Fprintf(out, "unused   XLA cuda     %s: there is no NVIDIA GPU here\n", p.Path)
		} else if found.XLABuilt && !try("XLA "+p.Platform, "xla:"+p.Path) {
			paste = append(paste, fmt.Sprintf("go run ./cmd/ebm install %s --force    # renew a plugin that does not work", p.Platform))
		}
	}
	switch {
	case !found.XLABuilt:
		line(false, "XLA", "this program was built without it: it needs cgo, and no tag noxla")
		if _, err := exec.LookPath("gcc"); err != nil {
			paste = append(paste, "sudo apt-get install gcc    # cgo needs a C compiler; then, with CGO_ENABLED=1, build again")
		}
	case !seen["cpu"]:
		line(false, "XLA cpu", "no plugin in "+strings.Join(found.Dirs, ", "))
		paste = append(paste, "go run ./cmd/ebm install cpu    # XLA on the CPU: several times quicker than pure Go")
	}
	if found.GPU && !seen["cuda"] {
		line(false, "XLA cuda", "there is an NVIDIA GPU, but no plugin for it")
		paste = append(paste, "go run ./cmd/ebm install cuda    # XLA on the GPU, about 3 GB")
	}
	try("pure Go", "go")

	root, err := findRoot(".")
	if err != nil {
		root = ""
	}
	notebooks := true
	for what, is := range notebookParts(ctx, root) {
		line(!strings.HasPrefix(is, "no "), what, is)
		notebooks = notebooks && !strings.HasPrefix(is, "no ")
	}
	if !notebooks {
		paste = append(paste, "make setup    # in a clone of GoEBM: all that notebooks need")
	}
	fmt.Fprintf(out, "\nPrograms compute on: %s\n", found.Choice())
	if len(paste) > 0 {
		fmt.Fprintf(out, "\nTo get what is missing, paste:\n    %s\n", strings.Join(paste, "\n    "))
	}
	if !working {
		return errors.New("no backend works")
	}
	return nil
}

// notebookParts yields what notebooks need and what there is of it; "no …" is missing.
func notebookParts(ctx context.Context, root string) func(yield func(what, is string) bool) {
	return func(yield func(what, is string) bool) {
		t := findTools(root)
		is := "no python3"
		if t.python != "" {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, t.python, "-c",
				"import sys, nbclient, nbconvert, latex2mathml; print('Python', sys.version.split()[0], 'nbclient', nbclient.__version__, 'nbconvert', nbconvert.__version__)").Output()
			if is = strings.TrimSpace(string(out)); err != nil {
				is = "no nbclient, nbconvert or latex2mathml in " + t.python
			}
		}
		if !yield("Python", is) {
			return
		}
		for _, p := range [][2]string{{"gonb", t.gonb}, {"goimports", t.goimports}} {
			if is = p[1]; is == "" {
				is = "no " + p[0]
			}
			if !yield(p[0], is) {
				return
			}
		}
		is = "no Jupyter kernel gonb in the clone's .venv"
		if kernel := filepath.Join(root, kernelSpec); root == "" {
			is = "no clone of GoEBM here, so no kernel of its own"
		} else if isFile(kernel) {
			is = kernel
		}
		yield("kernel", is)
	}
}

// tryApart runs tryBackend in another process, because a broken plugin can take its process down with it.
func tryApart(ctx context.Context, config string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", errors.WithStack(err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "doctor", "--check="+config)
	var said strings.Builder
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return "", errors.Errorf("%s: %s", config, strings.TrimPrefix(lines[len(lines)-1], "ebm: "))
	}
	return strings.TrimSpace(string(out)), nil
}

// tryBackend adds up 1 to 1000 on a backend, and prints how long it took.
func tryBackend(out io.Writer, config string) error {
	start := time.Now()
	b, err := backend.Open(config)
	if err != nil {
		return err
	}
	defer b.Finalize()
	numbers := make([]float32, 1000)
	for i := range numbers {
		numbers[i] = float32(i + 1)
	}
	sum, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(x) }, numbers)
	if err != nil {
		return errors.WithMessagef(err, "backend %q", config)
	}
	if got := sum.Value(); got != float32(500500) {
		return errors.Errorf("backend %q: the sum of 1 to 1000 is %v there", config, got)
	}
	fmt.Fprintf(out, "%s: %d device(s), first result after %.2f s\n", config, b.NumDevices(), time.Since(start).Seconds())
	return nil
}
