package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
)

// Samples of an energy that has seen one step are a sliced W₂ of 2.7 away from the data; a short training brings them near, and a picture is written.
func TestRun(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		var text bytes.Buffer
		picture := filepath.Join(t.TempDir(), "landscape.png")
		distance, err := run(t.Context(), b, &text, 150, picture)
		if err != nil {
			t.Fatal(err)
		}
		if !(distance < 0.3) {
			t.Errorf("the samples' sliced W₂ to the data is %g after 150 steps, want less than 0.3", distance)
		}
		if s := text.String(); !strings.Contains(s, "150 steps on") || !strings.Contains(s, "noise floor 0.1") {
			t.Errorf("printed %q", s)
		}
		file, err := os.Open(picture)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := png.Decode(file); err != nil {
			t.Error(err)
		}
	})
}

func TestNoPlaceForThePicture(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	_, err = run(t.Context(), b, &bytes.Buffer{}, 1, filepath.Join(t.TempDir(), "missing", "landscape.png"))
	if err == nil || !strings.Contains(err.Error(), "landscape.png") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
