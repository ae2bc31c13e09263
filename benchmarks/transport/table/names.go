package table

import (
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm/datasets"
)

// Methods are the names of the table's rows.
func Methods() []string { return names(methods, func(m method) string { return m.name }) }

// Sets are the names of the table's columns, "source→target".
func Sets() []string { return names(sets, func(s set) string { return s.name }) }

// Reported is a cell of the published table, over five seeds.
type Reported struct {
	W2, Std float64 // mean and standard deviation
	NPE     float64 // mean
}

// Published is what [SF]²M's Table 2 has of a method on a set; found is false where it has nothing.
func Published(method, set string) (r Reported, found bool) {
	p, found := published[method][set]
	return Reported{p[0], p[1], p[2]}, found
}

// Points draws n points of both sides of a set.
func Points(name string, n int, seed uint64) (source, target *datasets.Data, err error) {
	for _, s := range sets {
		if s.name != name {
			continue
		}
		if target, err = s.target(n, 2*seed); err != nil {
			return nil, nil, err
		}
		if s.source == nil {
			return normal(n, seed), target, nil
		}
		source, err = s.source(n, 2*seed+1)
		return source, target, err
	}
	return nil, nil, errors.Errorf("there is no set %q", name)
}
