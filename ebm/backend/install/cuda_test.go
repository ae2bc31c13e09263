//go:build linux && amd64

package install

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/gomlx/go-xla/installer"
	"github.com/pkg/errors"
)

// fakeCUDA lays out what go-xla's CUDA installer does, with its links: absolute to ptxas, relative beside the folder.
func fakeCUDA(t *testing.T, content string, fail error) {
	old := cudaInstaller
	t.Cleanup(func() { cudaInstaller = old })
	cudaInstaller = func(flavour, version, path string, _ bool, _ installer.VerbosityLevel) error {
		nvidia := filepath.Join(path, "nvidia")
		for _, dir := range []string{"cu13/bin", "cu13/lib", "bin"} {
			if err := os.MkdirAll(filepath.Join(nvidia, dir), 0o755); err != nil {
				return err
			}
		}
		for _, file := range []string{"cu13/bin/ptxas", "cu13/lib/libcublas.so.13"} {
			if err := os.WriteFile(filepath.Join(nvidia, file), []byte(content), 0o755); err != nil {
				return err
			}
		}
		if fail != nil {
			return fail
		}
		if err := os.Symlink(filepath.Join(nvidia, "cu13/bin/ptxas"), filepath.Join(nvidia, "bin/ptxas")); err != nil {
			return err
		}
		link := filepath.Join(filepath.Dir(path), "libcublas.so.13")
		if err := os.Symlink("./go-xla/nvidia/cu13/lib/libcublas.so.13", link); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(nvidia, installer.NVIDIAPJRTPluginFileName), []byte(content+flavour+version), 0o755)
	}
}

func TestCUDA(t *testing.T) {
	for _, name := range []string{"go-xla", "plugins"} { // a folder of another name keeps working links too
		lib := t.TempDir()
		o := Options{Dir: filepath.Join(lib, name)}
		read := func(path, want string) {
			t.Helper()
			if got, err := os.ReadFile(filepath.Join(lib, path)); err != nil || string(got) != want {
				t.Errorf("%s holds %q, %v, want %q", path, got, err, want)
			}
		}
		fakeCUDA(t, "one", nil)
		path, err := CUDA(t.Context(), "cuda", o)
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(o.Dir, "nvidia", backend.FileName("cuda", "")); path != want {
			t.Errorf("path is %s, want %s", path, want)
		}
		read(name+"/nvidia/"+filepath.Base(path), "onecuda13"+cudaVersion)
		read(name+"/nvidia/bin/ptxas", "one")
		read("libcublas.so.13", "one")

		// A second time it returns at once; forced and failing, it leaves what there was; forced, it renews.
		fakeCUDA(t, "two", errors.New("disk full"))
		if _, err := CUDA(t.Context(), "cuda", o); err != nil {
			t.Error(err)
		}
		o.Force = true
		if _, err := CUDA(t.Context(), "cuda", o); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("error is %v, want the installer's", err)
		}
		read(name+"/nvidia/bin/ptxas", "one")
		fakeCUDA(t, "three", nil)
		if _, err := CUDA(t.Context(), "cuda12", o); err != nil {
			t.Error(err)
		}
		read(name+"/nvidia/bin/ptxas", "three")
		read("libcublas.so.13", "three")
		if entries, err := os.ReadDir(o.Dir); err != nil || len(entries) != 1 {
			t.Errorf("%v, %v in the folder, want nvidia alone", entries, err)
		}
	}
}

func TestCUDAInterrupted(t *testing.T) {
	old := cudaInstaller
	t.Cleanup(func() { cudaInstaller = old })
	ctx, cancel := context.WithCancel(t.Context())
	hold := make(chan struct{})
	defer close(hold)
	cudaInstaller = func(string, string, string, bool, installer.VerbosityLevel) error { cancel(); <-hold; return nil }
	dir := t.TempDir()
	if _, err := CUDA(ctx, "cuda", Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	isEmpty(t, dir)
	if _, err := CUDA(t.Context(), "cuda11", Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), `"cuda11"`) {
		t.Errorf("error is %v, want one that names the flavour", err)
	}
}
