package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

//go:embed runner.py
var runner string

// kernelSpec is where `make setup` puts GoNB's kernel, in a clone.
const kernelSpec = ".venv/share/jupyter/kernels/gonb/kernel.json"

// runOptions are the flags of `ebm run`.
type runOptions struct {
	out            string
	html           bool
	smoke, inplace bool
	timeout        time.Duration
}

func runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run NOTEBOOK...",
		Short: "Execute GoNB notebooks without a browser, and check them",
		Long: `Execute GoNB notebooks with the kernel of this clone ("make setup" installs it), time each cell, and write the
executed notebook, an HTML page that needs no network, and each picture as a PNG file.

A notebook fails when a cell ends in an error, when anything at all is written to standard error (a Go program that
panics shows there only), or when an output holds a path of this machine. The others are still run; the exit status is 1.

The stored notebook holds no times, no versions and no machine's paths, so that two runs give the same bytes.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, notebooks []string) error {
			return runAll(cmd.Context(), cmd.OutOrStdout(), notebooks, o)
		},
	}
	cmd.Flags().StringVar(&o.out, "out", filepath.Join("build", "notebooks"), "folder for the executed notebooks, pages and pictures")
	cmd.Flags().BoolVar(&o.html, "html", true, "write the HTML page")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 10*time.Minute, "limit for one cell; 0 for none")
	cmd.Flags().BoolVar(&o.smoke, "smoke", false, "set EBM_SMOKE=1, by which notebooks do less work, and draw rougher pictures")
	cmd.Flags().BoolVar(&o.inplace, "inplace", false, "also store the outputs in the notebook itself")
	cmd.MarkFlagsMutuallyExclusive("smoke", "inplace")
	return cmd
}

func runAll(ctx context.Context, out io.Writer, notebooks []string, o runOptions) error {
	if o.timeout < 0 {
		return errors.Errorf("--timeout must not be negative, got %v", o.timeout)
	}
	names := map[string]string{}
	for _, notebook := range notebooks {
		if filepath.Ext(notebook) != ".ipynb" || !isFile(notebook) {
			return errors.Errorf("%s is not a notebook (a file *.ipynb)", notebook)
		}
		if other, twice := names[filepath.Base(notebook)]; twice {
			return errors.Errorf("%s and %s would write the same files in %s", other, notebook, o.out)
		}
		names[filepath.Base(notebook)] = notebook
	}
	var failed []string
	for _, notebook := range notebooks {
		start := time.Now()
		fmt.Fprintf(out, "%s\n", notebook)
		if err := runOne(ctx, out, notebook, o); err != nil {
			if ctx.Err() != nil {
				return err
			}
			fmt.Fprintf(out, "  FAILED: %v\n", err)
			failed = append(failed, notebook)
			continue
		}
		fmt.Fprintf(out, "  ok in %.1f s, written to %s\n", time.Since(start).Seconds(), o.out)
	}
	if len(failed) > 0 {
		return errors.Errorf("%d of %d notebooks failed: %s", len(failed), len(notebooks), strings.Join(failed, ", "))
	}
	return nil
}

// runOne executes one notebook, with a temporary folder of its own that goes with all the kernel left in it.
func runOne(ctx context.Context, out io.Writer, notebook string, o runOptions) error {
	notebook, err := filepath.Abs(notebook)
	if err != nil {
		return errors.WithStack(err)
	}
	root, err := findRoot(filepath.Dir(notebook))
	if err != nil {
		// A notebook of the user's own, elsewhere, is run with the tools of the clone around the current folder.
		if root, err = findRoot("."); err != nil {
			return err
		}
	}
	t := findTools(root)
	if t.python == "" || t.goimports == "" {
		return errors.New("python3 or goimports is missing: `make setup` installs what notebooks need, `ebm doctor` says what is there")
	}
	tmp, err := os.MkdirTemp("", "ebm-run-")
	if err != nil {
		return errors.WithStack(err)
	}
	defer cleanUp(tmp)
	target, err := filepath.Abs(o.out)
	if err != nil {
		return errors.WithStack(err)
	}
	paths := []string{tmp, root}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		paths = append(paths, home+string(filepath.Separator))
	}
	args, err := json.Marshal(map[string]any{
		"notebook": notebook, "folder": filepath.Dir(notebook), "out": target, "html": o.html, "inplace": o.inplace,
		"timeout": int((o.timeout + time.Second - 1) / time.Second), "paths": paths,
	})
	if err != nil {
		return errors.WithStack(err)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, t.python, "-c", runner, string(args))
	cmd.Env = kernelEnv(os.Environ(), backend.Probe(), t, root, tmp, o.smoke)
	cmd.Stdout, cmd.Stderr = out, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // nbclient then ends the kernel
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return errors.WithStack(ctx.Err())
		}
		return errors.Errorf("%s", failure(said.String(), err))
	}
	return nil
}

// failure picks the runner's own last words out of what the kernel logs to the same standard error.
func failure(said string, err error) string {
	if _, message, found := strings.Cut(said, "EBM-FAILED "); found {
		return strings.TrimSpace(message)
	}
	return fmt.Sprintf("%v\n%s", err, strings.TrimSpace(said))
}

// kernelEnv is the environment that the notebook's kernel and its programs run in.
func kernelEnv(env []string, found backend.Found, t tools, root, tmp string, smoke bool) []string {
	set := []string{
		"TMPDIR=" + tmp,
		"JUPYTER_RUNTIME_DIR=" + filepath.Join(tmp, "jupyter"),
		"JUPYTER_PATH=" + filepath.Join(root, ".venv", "share", "jupyter"),
		"PATH=" + filepath.Dir(t.goimports) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"GOMLX_NO_AUTO_INSTALL=1",
		"GOFLAGS=" + goFlags(os.Getenv("GOFLAGS")),
		"PYTHONUTF8=1",
	}
	if smoke {
		set = append(set, "EBM_SMOKE=1")
	}
	if !found.SettingSet && found.Choice() == "go" {
		// The line on standard error that says so would fail the notebook.
		set = append(set, "GOMLX_BACKEND=go")
	}
	return setenv(env, set...)
}

// goFlags adds to the user's own what makes a cell link in 0.6 s rather than 1.6 s.
func goFlags(user string) string {
	if !strings.Contains(user, "-buildvcs") {
		user += " -buildvcs=false"
	}
	if !strings.Contains(user, "-ldflags") {
		user += " '-ldflags=-linkmode=internal -s -w'"
	}
	return strings.TrimSpace(user)
}

// cleanUp ends the programs that a kernel has left running, which are known by lying in its temporary folder, and
// removes the folder. A cell that ignores an interrupt outlives its kernel otherwise.
func cleanUp(tmp string) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe") // none but on Linux
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(target, tmp+string(filepath.Separator)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			if process, err := os.FindProcess(pid); err == nil {
				_ = process.Kill()
			}
		}
	}
	// Programs that are still ending may write once more.
	for range 10 {
		if os.RemoveAll(tmp) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
