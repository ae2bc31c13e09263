package backend

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
)

// pureGo is what GoMLX's backend of the configuration "go" calls itself.
const pureGo = "Go Backend"

// unset removes GOMLX_BACKEND for the length of a test.
func unset(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "") // so that the old value comes back afterwards
	if err := os.Unsetenv("GOMLX_BACKEND"); err != nil {
		t.Fatal(err)
	}
}

// needXLA skips a test on a machine or in a build without XLA's CPU plugin.
func needXLA(t *testing.T) Plugin {
	t.Helper()
	p := Probe().best("cpu")
	if p == nil {
		t.Skip("no XLA CPU plugin here, or built without XLA")
	}
	return *p
}

func TestNamedBackend(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	b, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if b.Name() != pureGo {
		t.Errorf("GOMLX_BACKEND=go gave the backend %q", b.Name())
	}
}

// A setting that cannot be had is an error that repeats it, never a panic and never another backend.
func TestBadSettings(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, FileName("cpu", CPUVersion))
	if err := os.WriteFile(broken, []byte("not a library"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"nonsense", "nonsense:cpu", "xla:nonsense", "xla:" + broken, "xla:" + dir, "xla:/no/such/file.so", "go:nonsense=1"} {
		t.Setenv("GOMLX_BACKEND", setting)
		b, err := New()
		if err == nil {
			t.Errorf("GOMLX_BACKEND=%q gave the backend %q, want an error", setting, b.Name())
		} else if !strings.Contains(err.Error(), setting) {
			t.Errorf("GOMLX_BACKEND=%q: the error does not name it: %v", setting, err)
		}
	}
}

func TestDevicesArgument(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	for devices, want := range map[int]string{-1: "must not be negative, got -1", 2: "Options.Devices is 2"} {
		if _, err := NewWith(Options{Devices: devices}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Devices %d on the pure Go backend: got error %v, want one with %q", devices, err, want)
		}
	}
	if b, err := NewWith(Options{Devices: 1}); err != nil {
		t.Errorf("Devices 1 on the pure Go backend: %v", err)
	} else {
		b.Finalize()
	}
}

func TestFallBackSaysSoInOneLine(t *testing.T) {
	unset(t)
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir())
	var notice bytes.Buffer
	b, err := NewWith(Options{Notice: &notice})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if b.Name() != pureGo || Probe().Choice() != "go" {
		t.Errorf("without a plugin: backend %q, choice %q, want go", b.Name(), Probe().Choice())
	}
	if text := notice.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "pure Go backend") || !strings.Contains(text, "XLA") {
		t.Errorf("notice is %q, want one line that names the backend and how to get XLA", text)
	}
}

func TestBrokenPluginFallsBackAloud(t *testing.T) {
	if !xlaBuilt {
		t.Skip("built without XLA")
	}
	unset(t)
	dir := t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
	broken := filepath.Join(dir, FileName("cpu", CPUVersion))
	if err := os.WriteFile(broken, []byte("not a library"), 0o755); err != nil {
		t.Fatal(err)
	}
	var notice bytes.Buffer
	b, err := NewWith(Options{Notice: &notice})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if text := notice.String(); b.Name() != pureGo || !strings.Contains(text, broken) || !strings.Contains(text, "install cpu --force") {
		t.Errorf("backend %q, notice %q, want go and a notice that names %s and the cure", b.Name(), text, broken)
	}
}

// go-xla's tested version wins over others, CUDA needs a GPU, and a dangling link is no plugin.
func TestProbeOrder(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", first+string(os.PathListSeparator)+second+string(os.PathListSeparator)+"relative")
	unset(t)
	tested := FileName("cpu", CPUVersion)
	for _, path := range []string{
		filepath.Join(first, FileName("cpu", "v0.9.0")), filepath.Join(first, tested), filepath.Join(first, "pjrt_c_api_cpux_plugin.so"),
		filepath.Join(second, tested), filepath.Join(second, FileName("cuda", "")),
	} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(first, "gone"), filepath.Join(first, FileName("cpu", ""))); err != nil {
		t.Fatal(err)
	}
	f := Probe()
	var got []string
	for _, p := range f.Plugins {
		got = append(got, p.Platform+" "+filepath.Base(p.Path))
	}
	want := []string{"cuda " + FileName("cuda", ""), "cpu " + tested, "cpu " + FileName("cpu", "v0.9.0"), "cpu " + tested}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("Plugins are\n%q, want\n%q", got, want)
	}
	if len(f.Dirs) != 2 {
		t.Errorf("Dirs are %q, want the two absolute ones", f.Dirs)
	}
	f.XLABuilt, f.GPU = true, false
	if p := f.best(""); p == nil || p.Path != filepath.Join(first, tested) {
		t.Errorf("without a GPU the best plugin is %v, want the CPU's tested version", p)
	}
	f.GPU = true
	if p := f.best(""); p == nil || p.Platform != "cuda" {
		t.Errorf("with a GPU the best plugin is %v, want CUDA's", p)
	}
	f.XLABuilt = false
	if p := f.best(""); p != nil || f.Choice() != "go" {
		t.Errorf("built without XLA: plugin %v, choice %q", p, f.Choice())
	}
}

// go-xla guesses the platform from the path, so that a home directory called nvidia must not reach it.
func TestMisleadingPath(t *testing.T) {
	for path, want := range map[string]string{
		"/home/ada/.local/lib/go-xla/pjrt_c_api_cpu_plugin.so":    "",
		"/home/nvidia/.local/lib/go-xla/pjrt_c_api_cpu_plugin.so": "cpu",
	} {
		if want == "" {
			want = path
		}
		if got := (Plugin{"cpu", path}).config(); got != want {
			t.Errorf("config of %s is %q, want %q", path, got, want)
		}
	}
	if got := (Plugin{"cuda", "/cpu/nvidia/pjrt_c_api_cuda_plugin.so"}).config(); got != "cuda" {
		t.Errorf("config of a CUDA plugin under /cpu is %q", got)
	}
}

// The number of devices is the client's own: three clients of one process have three.
func TestXLADevices(t *testing.T) {
	plugin := needXLA(t)
	for _, setting := range []string{"", "xla:cpu", "xla", "xla:" + plugin.Path, "xla:cpu,shared_buffers=false"} {
		if setting == "" {
			unset(t)
		} else {
			t.Setenv("GOMLX_BACKEND", setting)
		}
		for _, devices := range []int{1, 2, 4} {
			var notice bytes.Buffer
			b, err := NewWith(Options{Devices: devices, Notice: &notice})
			if err != nil {
				t.Fatalf("GOMLX_BACKEND=%q, %d devices: %v", setting, devices, err)
			}
			if b.Name() != "xla" || int(b.NumDevices()) != devices || notice.Len() > 0 {
				t.Errorf("GOMLX_BACKEND=%q: backend %q with %d devices, notice %q, want xla with %d, silent",
					setting, b.Name(), b.NumDevices(), notice.String(), devices)
			}
			b.Finalize()
		}
	}
}

// A notebook that runs well has an empty standard error, so that loading the plugin, compiling and running must print nothing.
func TestXLAIsSilent(t *testing.T) {
	needXLA(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestXLASum$", "-test.v")
	cmd.Env = append(os.Environ(), "GOMLX_BACKEND=xla:cpu", "EBM_TEST_SUM=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error has %q", stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) != 4 || lines[1] != "sum 5050" {
		t.Errorf("standard output has more than the sum and the test's own lines: %q", lines)
	}
}

// TestXLASum is the program that TestXLAIsSilent runs.
func TestXLASum(t *testing.T) {
	if os.Getenv("EBM_TEST_SUM") == "" {
		t.Skip("only as a program of TestXLAIsSilent")
	}
	b, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	sum, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(x) }, numbers(100))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("sum %v\n", sum.Value())
}

func numbers(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i + 1)
	}
	return out
}
