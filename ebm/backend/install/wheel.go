package install

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// wheel is a Python wheel that holds a plugin, pinned to one file.
type wheel struct {
	Requirement string // as pip spells it, with an exact version
	SHA256      string // of the wheel, hexadecimal
	Member      string // the plugin's path in it
}

// wheels by GOOS/GOARCH. This one is XLA as of jaxlib 0.11.2 (PJRT API 0.115), which go-xla v0.4.2 loads.
var wheels = map[string]wheel{
	"linux/amd64": {
		Requirement: "lammps-jax-pjrt-cpu==0.11.2",
		SHA256:      "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		Member:      "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
	},
}

// fetch downloads the wheel into dir with pip, as the user has configured it, and unpacks the plugin beside it.
func (w wheel) fetch(ctx context.Context, dir string, o Options) (string, error) {
	fmt.Fprintf(o.Log, "fetching %s with pip\n", w.Requirement)
	cmd := exec.CommandContext(ctx, o.Python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--progress-bar=off",
		"--no-deps", "--only-binary=:all:", "--dest", dir, w.Requirement)
	cmd.WaitDelay = time.Second
	// pip unpacks in TMPDIR; there, what a killed pip leaves goes with the folder.
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", errors.WithStack(ctx.Err())
		}
		return "", errors.Wrapf(err, "%s -m pip download: %s", o.Python, lastLines(said.String(), 4))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(files) != 1 {
		return "", errors.Errorf("pip left %d wheels, want 1", len(files))
	}
	return w.unpack(ctx, files[0], filepath.Join(dir, "plugin"))
}

// unpack checks the wheel's hash before anything else and writes the plugin to the file to.
func (w wheel) unpack(ctx context.Context, file, to string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", errors.WithStack(err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return "", errors.WithStack(err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != w.SHA256 {
		return "", errors.Errorf("SHA-256 of %s is %s, want %s: refused", filepath.Base(file), got, w.SHA256)
	}
	archive, err := zip.NewReader(f, size)
	if err != nil {
		return "", errors.Wrap(err, filepath.Base(file))
	}
	member, err := archive.Open(w.Member)
	if err != nil {
		return "", errors.Wrap(err, filepath.Base(file))
	}
	defer member.Close()
	if err := copyAll(ctx, to, member); err != nil { // checks the CRC too
		return "", errors.Wrapf(err, "%s in %s", w.Member, filepath.Base(file))
	}
	return to, nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
