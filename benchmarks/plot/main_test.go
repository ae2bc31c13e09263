package main

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRun(t *testing.T) {
	// A bar to the left of 1, and a row that JAX has not.
	results := write(t, `[{"row": "langevin_mlp_128x2x100", "backend": "xla:cpu", "vs_torchebm": 9.5, "vs_jax": 0.5},
		{"row": "first_sample", "backend": "go", "vs_torchebm": 7, "vs_jax": null}]`)
	out := filepath.Join(t.TempDir(), "img", "speed.png")
	if err := run(results, out); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]bool{}
	for x := range picture.Bounds().Dx() {
		for y := range picture.Bounds().Dy() {
			switch picture.At(x, y) {
			case torchColor:
				drawn["TorchEBM"] = true
			case jaxColor:
				drawn["JAX"] = true
			}
		}
	}
	if !drawn["TorchEBM"] || !drawn["JAX"] {
		t.Errorf("bars drawn: %v, want both engines'", drawn)
	}
}

func TestRunBadInput(t *testing.T) {
	for text, want := range map[string]string{"[]": "has no entries", "{": "unexpected end of JSON input"} {
		err := run(write(t, text), filepath.Join(t.TempDir(), "x.png"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run(%q) = %v, want an error with %q", text, err, want)
		}
	}
}
