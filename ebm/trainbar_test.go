package ebm_test

import (
	"bytes"
	"testing"

	"github.com/goebm/goebm/ebm"
)

func TestTrainBarPrintsTheLastLineOnly(t *testing.T) {
	var out bytes.Buffer
	bar := ebm.TrainBar(&out)
	for step := 10; step <= 30; step += 10 {
		bar(ebm.TrainProgress{Step: step, Steps: 30, Epoch: step / 10, Loss: -.25, Data: 1.5, Negatives: 1.75})
	}
	if got, want := out.String(), "30 steps, 3 epochs: loss -0.25  E(data) 1.5  E(negatives) 1.75  gap -0.25\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
