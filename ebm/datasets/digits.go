package datasets

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

//go:embed digits.csv.gz
var digits []byte

// Digits are 1797 handwritten digits of 13 people, pictures of 8×8 pixels with their labels 0 to 9: [n, 8, 8, 1], about 180 of each digit. A
// pixel is how much of 4×4 finer ones is ink, from −1, none, to 1, all, in steps of 1/8. In the order of the source.
//
// The test set of E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits (1998), UCI Machine Learning Repository,
// doi:10.24432/C50P49, licence CC BY 4.0; in the form of scikit-learn's public copy.
func Digits() (*Data, error) {
	packed, err := gzip.NewReader(bytes.NewReader(digits))
	if err != nil {
		return nil, errors.Wrap(err, "Digits")
	}
	text, err := io.ReadAll(packed)
	if err != nil {
		return nil, errors.Wrap(err, "Digits")
	}
	d := &Data{Name: "digits", Dim: 64, Event: []int{8, 8, 1}, Classes: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		if len(cells) != 65 {
			return nil, errors.Errorf("Digits: a row of %d numbers, want 65", len(cells))
		}
		for i, cell := range cells {
			v, err := strconv.ParseFloat(cell, 32)
			if err != nil {
				return nil, errors.Wrap(err, "Digits")
			}
			if i == 64 {
				d.Labels = append(d.Labels, int32(v))
				continue
			}
			d.X = append(d.X, float32(v)/8-1)
		}
	}
	return d, d.Validate()
}
