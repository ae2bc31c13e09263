package datasets

import (
	_ "embed"
	"strings"
)

//go:embed old_faithful.csv
var oldFaithful string

// OldFaithful is 272 measured eruptions of the Old Faithful geyser in Yellowstone National Park: the minutes an eruption
// lasted and the minutes until the next one. Two clusters: short eruptions are followed by short waits. In the units of the
// measurement and in the order of the source; Standardize before training. No labels.
//
// A. Azzalini and A. W. Bowman (1990), A look at some data on the Old Faithful geyser, Applied Statistics 39, 357–365,
// doi:10.2307/2347385; in the form of R's public dataset "faithful".
func OldFaithful() (*Data, error) {
	d, err := readCSV(strings.NewReader(oldFaithful), "old_faithful.csv", CSV{})
	if err != nil {
		return nil, err
	}
	d.Name = "Old Faithful"
	return d, nil
}
