package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/pkg/errors"
)

// notebook writes a notebook of a Markdown cell, the set-up cell that every notebook of this project begins with, and
// code cells, and returns its path.
func notebook(t *testing.T, code ...string) string {
	t.Helper()
	root, err := findRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	cells := []object{{"cell_type": "markdown", "metadata": object{}, "source": "The price is \\$5, `$a$` is code, $x^2$ is not:\n\n$$\\frac{1}{Z}$$"}}
	setup := "%noautoget\n!*cp \"" + root + "\"/go.{mod,sum} . && go mod edit -module=nb " +
		"-require=github.com/goebm/goebm@v0.0.0 -replace=github.com/goebm/goebm=\"" + root + "\""
	for _, source := range append([]string{setup}, code...) {
		cells = append(cells, object{"cell_type": "code", "metadata": object{}, "source": source, "execution_count": nil, "outputs": []any{}})
	}
	data, err := json.Marshal(object{"cells": cells, "metadata": object{}, "nbformat": 4, "nbformat_minor": 4})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sample.ipynb")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// needKernel skips where `make setup` has not been run, and in -short mode.
func needKernel(t *testing.T) {
	t.Helper()
	root, err := findRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		t.Skip("starts Jupyter kernels")
	}
	if !isFile(filepath.Join(root, kernelSpec)) {
		t.Skip("no kernel here: make setup installs it")
	}
	t.Setenv("TMPDIR", t.TempDir()) // to see what a run leaves behind
}

const sum = `import (
	"fmt"
	"os"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/janpfeifer/must"
)

%%
b := must.M1(backend.New())
sum := must.M1(graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(x) }, []float32{1, 2, 3}))
fmt.Println("sum", sum.Value(), "smoke", os.Getenv("EBM_SMOKE"))`

const picture = `import (
	"fmt"
	"image"

	"github.com/janpfeifer/gonb/gonbui"
)

%%
must.M(gonbui.DisplayImage(image.NewGray(image.Rect(0, 0, 8, 8))))
gonbui.Sync()
fmt.Println("a picture")`

// An output that the notebook had and that does not come back is an error.
func TestRunMissesAnOutput(t *testing.T) {
	needKernel(t)
	path := notebook(t, sum, "%%\nfmt.Print()")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndex(text, []byte(`"outputs":[]`))
	text = slices.Concat(text[:last], []byte(`"outputs":[{"output_type":"stream","name":"stdout","text":"a table"}]`), text[last+len(`"outputs":[]`):])
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	err = runAll(t.Context(), &log, []string{path}, runOptions{out: t.TempDir(), timeout: time.Minute})
	if want := "cell 3: the cell has an output in the notebook's file, and none now"; err == nil || !strings.Contains(log.String(), want) {
		t.Errorf("got the error %v, want %q in the log\n%s", err, want, log.String())
	}
}

// A good notebook gives the same bytes twice, a page that needs no network, and its pictures.
func TestRun(t *testing.T) {
	needKernel(t)
	path := notebook(t, sum, picture)
	out := t.TempDir()
	var stored [2][]byte
	for i := range stored {
		var log bytes.Buffer
		if err := runAll(t.Context(), &log, []string{path}, runOptions{out: out, html: true, smoke: i == 0, inplace: i == 1, timeout: time.Minute}); err != nil {
			t.Fatalf("%v\n%s", err, log.String())
		}
		if text := log.String(); !strings.Contains(text, "cell  3") || !strings.Contains(text, "b := must.M1(backend.New())") {
			t.Errorf("the log does not time each cell:\n%s", text)
		}
		var err error
		if stored[i], err = os.ReadFile(filepath.Join(out, "sample.ipynb")); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(string(stored[0]), "sum 6 smoke 1") || !strings.Contains(string(stored[1]), "sum 6 smoke \\n") {
		t.Errorf("the outputs are not stored, or EBM_SMOKE is wrong:\n%s", stored[1])
	}
	if same := bytes.ReplaceAll(stored[0], []byte("smoke 1"), []byte("smoke ")); !bytes.Equal(same, stored[1]) {
		t.Errorf("two runs store different notebooks:\n%s\n%s", stored[0], stored[1])
	}
	if inplace, err := os.ReadFile(path); err != nil || !bytes.Equal(inplace, stored[1]) {
		t.Errorf("--inplace stored another notebook: %v", err)
	}
	page, err := os.ReadFile(filepath.Join(out, "sample.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sum 6", "<msup>", "<mfrac>", "$5", "<code>$a$</code>", "data:image/png;base64,"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, unwanted := range []string{"<script", "src=\"http", "href=\"http", "@import", "$x^2$"} {
		if bytes.Contains(page, []byte(unwanted)) {
			t.Errorf("the page has %q", unwanted)
		}
	}
	if png, err := os.ReadFile(filepath.Join(out, "sample-01.png")); err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("the picture: %v", err)
	}
	isClean(t)
}

// isClean fails the test where a run left anything in its temporary folder.
func isClean(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "ebm-run-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %q, %v", left, err)
	}
}

// What must fail a notebook: each cell ends it, with an error that shows why, and nothing is stored in place.
func TestRunFails(t *testing.T) {
	needKernel(t)
	for name, c := range map[string][2]string{
		"panic":   {"%%\npanic(\"boom\")", "boom"},
		"stderr":  {"%%\nfmt.Fprintln(os.Stderr, \"a warning\")", "a warning"},
		"shell":   {"!false", "exit status 1"},
		"compile": {"func f() int { return \"x\" }", "cannot use \"x\""},
		"path":    {"%%\nfmt.Println(os.TempDir())", "a path of this machine"},
		"timeout": {"%%\nsignal.Ignore(os.Interrupt)\ntime.Sleep(time.Hour)", "longer than 4 s"},
	} {
		t.Run(name, func(t *testing.T) {
			path := notebook(t, c[0])
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			err = runAll(t.Context(), &log, []string{path}, runOptions{out: t.TempDir(), inplace: true, timeout: 4 * time.Second})
			if err == nil || !strings.Contains(err.Error(), "1 of 1 notebooks failed") || !strings.Contains(log.String(), c[1]) {
				t.Errorf("error is %v, want one; the log should have %q:\n%s", err, c[1], log.String())
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the notebook was changed: %v", err)
			}
			isClean(t)
		})
	}
}

// A run that is interrupted ends soon, with the programs that it has started.
func TestRunInterrupted(t *testing.T) {
	needKernel(t)
	path := notebook(t, "%%\nos.Stdout.Sync()\ntime.Sleep(time.Hour)")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	start := time.Now()
	err := runAll(ctx, new(bytes.Buffer), []string{path}, runOptions{out: t.TempDir()})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 15*time.Second {
		t.Errorf("error is %v after %v", err, time.Since(start))
	}
	isClean(t)
}

func TestRunBadArguments(t *testing.T) {
	good := notebook(t)
	for want, args := range map[string][]string{
		"nothere.ipynb is not a notebook": {"run", "nothere.ipynb"},
		"run.go is not a notebook":        {"run", "run.go"},
		"would write the same files":      {"run", good, good},
		"must not be negative, got -1s":   {"run", "--timeout=-1s", good},
		"smoke inplace":                   {"run", "--smoke", "--inplace", good},
		`invalid argument "gpu"`:          {"install", "gpu"},
		`got "web"`:                       {"install", "cpu", "--from=web", "--dir=" + t.TempDir()},
	} {
		cmd := root()
		cmd.SetArgs(args)
		cmd.SetOut(new(bytes.Buffer))
		cmd.SetErr(new(bytes.Buffer))
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ebm %q: error is %v, want one with %q", args, err, want)
		}
	}
}

// The kernel's environment: nothing downloaded, quick links, the user's own flags kept, and pure Go asked for by name
// where there is no plugin, because the line that says so would fail the notebook.
func TestKernelEnv(t *testing.T) {
	t.Setenv("GOFLAGS", "-tags=noxla -buildvcs=auto")
	env := kernelEnv([]string{"TMPDIR=/old", "KEPT=1", "TMPDIRS=kept"}, backend.Found{}, tools{goimports: "/clone/.bin/goimports"}, "/clone", "/new", true)
	text := "\n" + strings.Join(env, "\n") + "\n"
	for _, want := range []string{
		"TMPDIR=/new", "KEPT=1", "TMPDIRS=kept", "GOMLX_BACKEND=go", "GOMLX_NO_AUTO_INSTALL=1", "EBM_SMOKE=1",
		"GOFLAGS=-tags=noxla -buildvcs=auto '-ldflags=-linkmode=internal -s -w'",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("the environment lacks %q:%s", want, text)
		}
	}
	if strings.Contains(text, "/old") || !strings.Contains(text, "\nPATH=/clone/.bin"+string(os.PathListSeparator)) {
		t.Errorf("TMPDIR or PATH is wrong:%s", text)
	}
	found := backend.Found{XLABuilt: true, Plugins: []backend.Plugin{{Platform: "cpu", Path: "/a/cpu.so"}}}
	if text := strings.Join(kernelEnv(nil, found, tools{}, "", "", false), "\n"); strings.Contains(text, "GOMLX_BACKEND") || strings.Contains(text, "EBM_SMOKE") {
		t.Errorf("with a plugin, and without --smoke:\n%s", text)
	}
}

// TestMain lets the test binary stand in for the program, which the doctor starts anew for each backend.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "doctor" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")
	if err := os.WriteFile(broken, []byte("not a library"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	found := backend.Found{XLABuilt: true, GPU: true, Dirs: []string{dir}, Setting: "nonsense", SettingSet: true,
		Plugins: []backend.Plugin{{Platform: "cpu", Path: broken}}}
	if err := doctor(t.Context(), &out, found); err != nil {
		t.Errorf("pure Go works, but: %v", err)
	}
	text := out.String()
	for _, want := range []string{"missing  GOMLX_BACKEND", "unset GOMLX_BACKEND", "missing  XLA cpu", "install cpu --force", "missing  XLA cuda",
		"install cuda ", "ok       pure Go", "first result after", "gonb", "kernel", "compute on: nonsense"} {
		if !strings.Contains(text, want) {
			t.Errorf("the doctor does not say %q:\n%s", want, text)
		}
	}
	out.Reset()
	if err := doctor(t.Context(), &out, backend.Found{Dirs: []string{dir}}); err != nil || !strings.Contains(out.String(), "built without it") {
		t.Errorf("built without XLA: %v\n%s", err, out.String())
	}
}

// A doctor with no backend that works ends with an error; without a folder of its own nothing can be tried.
func TestTryBackend(t *testing.T) {
	if err := tryBackend(new(bytes.Buffer), "nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("error is %v, want one that names the backend", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "doctor", "--check=nonsense")
	var exit *exec.ExitError
	if out, err := cmd.CombinedOutput(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !bytes.Contains(out, []byte("nonsense")) {
		t.Errorf("doctor --check=nonsense: %v, %s", err, out)
	}
}
