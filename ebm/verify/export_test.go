package verify

// What the tests of package verify_test see of the inside.
var Distance = distance

// Limits is a report of the check with statistics of those names, and nothing found.
func (c Invariance) Limits(names []string) InvarianceReport {
	return c.withDefaults().report(1, 0, names)
}
