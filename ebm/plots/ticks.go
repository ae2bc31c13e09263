package plots

import (
	"math"
	"strconv"
	"strings"
)

// niceStep is the step of 1, 2, 2.5 or 5 times a power of ten that cuts span most nearly into n pieces.
func niceStep(span float64, n int) float64 {
	raw := span / float64(max(n, 1))
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	best := mag
	for _, m := range []float64{2, 2.5, 5, 10} {
		if math.Abs(math.Log(m*mag/raw)) < math.Abs(math.Log(best/raw))-1e-9 {
			best = m * mag
		}
	}
	return best
}

// niceTicks are the multiples of a nice step within [lo, hi].
func niceTicks(lo, hi float64, n int) []float64 {
	step := niceStep(hi-lo, n)
	var out []float64
	first := math.Ceil(lo/step - 1e-9)
	for k := range int(math.Min(math.Floor(hi/step+1e-9)-first, 1000)) + 1 { // a bound for numbers too large to count
		out = append(out, (first+float64(k))*step)
	}
	return out
}

// logTicks are about n numbers m·10ᵏ within [lo, hi], 0 < lo < hi, and the unlabelled ones between them.
func logTicks(lo, hi float64, n int) (major, minor []float64) {
	decades := math.Log10(hi / lo)
	for every := max(1, int(math.Ceil(decades/float64(max(n, 1))))); every > 0 && len(major) < 2; every-- {
		major, minor = decadeTicks(lo, hi, n, every)
	}
	if len(major) < 2 {
		major, minor = niceTicks(lo, hi, n), nil
	}
	return major, minor
}

// decadeTicks are logTicks with a label every so many decades.
func decadeTicks(lo, hi float64, n, every int) (major, minor []float64) {
	decades := math.Log10(hi / lo)
	k0, k1 := int(math.Floor(math.Log10(lo)+1e-9)), int(math.Ceil(math.Log10(hi)-1e-9))
	firsts := []float64{1}
	if decades < float64(n)/3 {
		firsts = []float64{1, 2, 5}
	} else if decades < float64(n)/2 {
		firsts = []float64{1, 3}
	}
	in := func(v float64) bool { return v >= lo*(1-1e-9) && v <= hi*(1+1e-9) }
	for k := k0; k <= k1; k++ {
		p := math.Pow(10, float64(k))
		for m := 1.; m < 10; m++ {
			v := m * p
			labelled := false
			for _, f := range firsts {
				labelled = labelled || f == m
			}
			switch {
			case !in(v):
			case labelled && ((k%every)+every)%every == 0:
				major = append(major, v)
			case every == 1 || m == 1:
				minor = append(minor, v)
			}
		}
	}
	return major, minor
}

// formatTicks writes all the ticks with as many decimals as tell them apart, huge and tiny ones as m×10ᵏ.
func formatTicks(ticks []float64, log bool) []string {
	out := make([]string, len(ticks))
	largest, step := 0., math.Inf(1)
	for i, v := range ticks {
		largest = math.Max(largest, math.Abs(v))
		if i > 0 {
			step = math.Min(step, math.Abs(v-ticks[i-1]))
		}
	}
	if math.IsInf(step, 1) {
		step = largest
	}
	smallest := math.Inf(1)
	for _, v := range ticks {
		if v != 0 {
			smallest = math.Min(smallest, math.Abs(v))
		}
	}
	scientific := largest >= 1e5 || largest < 1e-3 || (log && smallest < 1e-2)
	decimals := 0
	for s := step; decimals < 12 && math.Abs(s-math.Round(s)) > 1e-6*math.Max(s, 1e-12); decimals++ {
		s *= 10
	}
	for i, v := range ticks {
		switch {
		case v == 0:
			out[i] = "0"
		case scientific:
			out[i] = scientificNumber(v)
		case log:
			out[i] = strconv.FormatFloat(v, 'f', -1, 64)
			if len(out[i]) > 7 {
				out[i] = strconv.FormatFloat(v, 'g', 3, 64)
			}
		default:
			out[i] = strconv.FormatFloat(v, 'f', decimals, 64)
		}
		out[i] = strings.ReplaceAll(out[i], "-", "−")
	}
	return out
}

// scientificNumber writes m×10ᵏ, and 10ᵏ when m is 1.
func scientificNumber(v float64) string {
	m, e, _ := strings.Cut(strconv.FormatFloat(v, 'e', 3, 64), "e")
	if strings.Contains(m, ".") {
		m = strings.TrimRight(strings.TrimRight(m, "0"), ".")
	}
	k, _ := strconv.Atoi(e)
	var sup strings.Builder
	for _, r := range strconv.Itoa(k) {
		sup.WriteString(map[rune]string{'-': "⁻", '0': "⁰", '1': "¹", '2': "²", '3': "³", '4': "⁴", '5': "⁵", '6': "⁶", '7': "⁷", '8': "⁸", '9': "⁹"}[r])
	}
	switch m {
	case "1":
		return "10" + sup.String()
	case "-1":
		return "-10" + sup.String()
	}
	return m + "×10" + sup.String()
}
