package install

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/pkg/errors"
)

const library = "\x7fELF and what follows"

// fakeWheel writes a wheel that pip accepts and puts it in place of the pinned one for the length of a test.
func fakeWheel(t *testing.T, content string) (file string) {
	t.Helper()
	var buf bytes.Buffer
	archive := zip.NewWriter(&buf)
	for _, member := range [][2]string{
		{"fakeplugin/plugin.so", content},
		{"fakeplugin-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: fakeplugin\nVersion: 1.0\n"},
		{"fakeplugin-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{"fakeplugin-1.0.dist-info/RECORD", ""},
	} {
		w, err := archive.Create(member[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, member[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "fakeplugin-1.0-py3-none-any.whl")
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	pin(t, file)
	return file
}

// pin puts a file, as it is now, in place of the pinned wheel.
func pin(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	platform := runtime.GOOS + "/" + runtime.GOARCH
	old, had := wheels[platform]
	wheels[platform] = wheel{Requirement: "fakeplugin==1.0", SHA256: hex.EncodeToString(sum[:]), Member: "fakeplugin/plugin.so"}
	t.Cleanup(func() {
		if had {
			wheels[platform] = old
		} else {
			delete(wheels, platform)
		}
	})
}

// needPip skips where there is no pip, and points it at the folder of one file, without any index.
func needPip(t *testing.T, file string) {
	t.Helper()
	if exec.Command("python3", "-m", "pip", "--version").Run() != nil {
		t.Skip("no pip here")
	}
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", filepath.Dir(file))
}

// isEmpty fails the test unless an unsuccessful install left nothing behind.
func isEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s was left behind", entry.Name())
	}
}

// site answers for go-xla's release site.
type site func(*http.Request) (*http.Response, error)

func (s site) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func serve(t *testing.T, s site) {
	old := http.DefaultTransport
	http.DefaultTransport = s
	t.Cleanup(func() { http.DefaultTransport = old })
}

func answer(status int, body []byte) (*http.Response, error) {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// release serves a release whose archive is the given bytes.
func release(t *testing.T, archive []byte) {
	name := "pjrt_cpu_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
	serve(t, func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, name) {
			return answer(http.StatusOK, archive)
		}
		return answer(http.StatusOK, []byte(`{"assets": [{"browser_download_url": "https://example.test/`+name+`"}]}`))
	})
}

func tarball(t *testing.T, name, content string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	archive := tar.NewWriter(zipped)
	err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = io.WriteString(archive, content)
	}
	for _, c := range []io.Closer{archive, zipped} {
		if err2 := c.Close(); err == nil {
			err = err2
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestWheel(t *testing.T) {
	needPip(t, fakeWheel(t, library))
	o := Options{Dir: filepath.Join(t.TempDir(), "not", "there", "yet"), Source: Wheel}
	path, err := CPU(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(o.Dir, backend.FileName("cpu", backend.CPUVersion)); path != want {
		t.Errorf("path is %s, want %s", path, want)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != library {
		t.Errorf("the plugin holds %q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the plugin's mode is %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(o.Dir); len(entries) != 1 {
		t.Errorf("%d files in the folder, want the plugin alone", len(entries))
	}

	// A second time nothing is fetched: this Python does not exist.
	o.Python = "/no/such/python"
	if _, err := CPU(t.Context(), o); err != nil {
		t.Errorf("second install: %v", err)
	}
	// Asked to install again, and failing, it leaves what there was.
	o.Force = true
	if _, err := CPU(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/no/such/python") {
		t.Errorf("forced install without a Python: error %v, want one that names it", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != library {
		t.Errorf("after a failed install the plugin holds %q, %v", got, err)
	}
}

// A wheel of another hash is refused, and nothing is left behind.
func TestWrongHash(t *testing.T) {
	file := fakeWheel(t, library)
	needPip(t, file)
	platform := runtime.GOOS + "/" + runtime.GOARCH
	w := wheels[platform]
	w.SHA256 = strings.Repeat("0", 64)
	wheels[platform] = w
	dir := t.TempDir()
	_, err := CPU(t.Context(), Options{Dir: dir, Source: Wheel})
	if err == nil || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), w.SHA256) {
		t.Errorf("error is %v, want a refusal that names both hashes", err)
	}
	isEmpty(t, dir)
}

// Broken wheels whose hash is right all the same: cut short, without the plugin, with a damaged byte, with another thing in it.
func TestBrokenWheel(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		spoil   func([]byte) []byte
		want    string
	}{
		"cut short":     {library, func(b []byte) []byte { return b[:len(b)-30] }, "not a valid zip file"},
		"damaged":       {strings.Repeat(library, 999), func(b []byte) []byte { b[90] ^= 0xff; return b }, "plugin.so"},
		"another thing": {"<html>log in first</html>", func(b []byte) []byte { return b }, "not a shared library"},
		"empty plugin":  {"", func(b []byte) []byte { return b }, "EOF"},
		"no plugin": {library, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("plugin.so"), []byte("pluginXso")) },
			"file does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			file := fakeWheel(t, c.content)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, c.spoil(data), 0o644); err != nil {
				t.Fatal(err)
			}
			pin(t, file)
			// This Python hands the file over as pip does, which would refuse some of these by itself.
			python := filepath.Join(t.TempDir(), "python")
			script := "#!/bin/sh\nwhile [ \"$1\" != --dest ]; do shift; done\ncp '" + file + "' \"$2\"\n"
			if err := os.WriteFile(python, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			_, err = CPU(t.Context(), Options{Dir: dir, Source: Wheel, Python: python})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
			isEmpty(t, dir)
		})
	}
}

// An install that is interrupted, while pip runs or while the plugin is unpacked, ends soon and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	file := fakeWheel(t, library)
	t.Run("pip", func(t *testing.T) {
		python := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(python, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := CPU(ctx, Options{Dir: dir, Source: Wheel, Python: python})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 10*time.Second {
			t.Errorf("error is %v after %v", err, time.Since(start))
		}
		isEmpty(t, dir)
	})
	t.Run("unpack", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w := wheels[runtime.GOOS+"/"+runtime.GOARCH]
		if _, err := w.unpack(ctx, file, filepath.Join(t.TempDir(), "plugin")); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("copy", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		copied := filepath.Join(t.TempDir(), "copy")
		err := copyAll(ctx, copied, readerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil }))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("an endless copy ended with %v", err)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestGoXLARelease(t *testing.T) {
	release(t, tarball(t, "pjrt_c_api_cpu_v0.114.0_plugin.so", library))
	dir := t.TempDir()
	path, err := CPU(t.Context(), Options{Dir: dir, Source: GoXLA, Version: "v0.114.0"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != library {
		t.Errorf("the plugin holds %q, %v", got, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files in the folder, want the plugin alone", len(entries))
	}
}

func TestBrokenGoXLARelease(t *testing.T) {
	good := tarball(t, "pjrt_c_api_cpu_v0.114.0_plugin.so", library)
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"cut short":  {good[:len(good)/2], "EOF"},
		"a web page": {[]byte("<html>"), "gzip"},
		"no plugin":  {tarball(t, "README", "hello"), "holds no"},
		"not a .so":  {tarball(t, "pjrt_c_api_cpu_plugin.so", "<html>"), "not a shared library"},
	} {
		t.Run(name, func(t *testing.T) {
			release(t, c.archive)
			dir := t.TempDir()
			_, err := CPU(t.Context(), Options{Dir: dir, Source: GoXLA})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
			isEmpty(t, dir)
		})
	}
}

// Where go-xla's site answers with an error, the wheel takes its place, and the log says so.
func TestFallsBackToTheWheel(t *testing.T) {
	needPip(t, fakeWheel(t, library))
	serve(t, func(*http.Request) (*http.Response, error) { return nil, errors.New("no such host") })
	var log bytes.Buffer
	if _, err := CPU(t.Context(), Options{Dir: t.TempDir(), Log: &log}); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "no such host") || !strings.Contains(text, "fakeplugin==1.0") {
		t.Errorf("the log is %q, want why and what instead", text)
	}
}

// A network that swallows packets is given up after reachLimit.
func TestSilentSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		serve(t, func(*http.Request) (*http.Response, error) { <-never; return nil, io.EOF })
		dir := t.TempDir()
		start := time.Now()
		_, err := CPU(t.Context(), Options{Dir: dir, Source: GoXLA})
		if err == nil || time.Since(start) != reachLimit {
			t.Errorf("error is %v after %v, want one after %v", err, time.Since(start), reachLimit)
		}
		isEmpty(t, dir)
		close(never)
	})
}

func TestBadOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		`Options.Version "../x"`:           {Dir: t.TempDir(), Version: "../x"},
		`got "web"`:                        {Dir: t.TempDir(), Source: "web"},
		"not a directory":                  {Dir: filepath.Join(file, "sub")},
		`not for Options.Version "v9.9.9"`: {Dir: t.TempDir(), Version: "v9.9.9", Source: Wheel},
	} {
		if _, err := CPU(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error is %v, want one with %q", o, err, want)
		}
	}
}

// What a killed install left goes with the next one, unless it may still be running.
func TestClearsOldStages(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, stagePrefix+"old"), filepath.Join(dir, stagePrefix+"young")
	for _, path := range []string{old, young} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	_, remove, err := stage(dir)
	if err != nil {
		t.Fatal(err)
	}
	remove()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(young) {
		t.Errorf("left are %v, %v, want %s alone", entries, err, filepath.Base(young))
	}
}
