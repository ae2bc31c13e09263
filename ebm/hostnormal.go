package ebm

import "math"

// normals32 is normal32 on the host, for up to a lane of words. The conversions keep the compiler from joining a product and a sum
// into one operation; four polynomials at a time keep the processor from waiting for each one's last term.
func normals32(out []float32, words []uint32) {
	var t, scale [lane]float32
	for i, w := range words {
		p := (float32(int32(w&0x7FFFFFFF)) + 0.5) * 0x1p-32
		v := float32(math.Sqrt(float64(5 - log32(p*(1-p)*4))))
		t[i] = float32(v*0.6712999911407125) - 2.5010724134856397
		scale[i] = math.Float32frombits(math.Float32bits(1-p*2) ^ w&0x80000000)
	}
	first, second := float32(normalPoly[0]), float32(normalPoly[1])
	for i := 0; i < len(words); i += 4 {
		t := (*[4]float32)(t[i:])
		y0, y1 := float32(t[0]*first)+second, float32(t[1]*first)+second
		y2, y3 := float32(t[2]*first)+second, float32(t[3]*first)+second
		for _, c := range normalPoly32 {
			y0, y1 = float32(y0*t[0])+c, float32(y1*t[1])+c
			y2, y3 = float32(y2*t[2])+c, float32(y3*t[3])+c
		}
		t[0], t[1], t[2], t[3] = y0, y1, y2, y3
	}
	out = out[:len(words)]
	for i := range out {
		out[i] = t[i] * scale[i]
	}
}

// normalPoly32 are normalPoly's coefficients from the third on.
var normalPoly32 = func() (c [len(normalPoly) - 2]float32) {
	for i := range c {
		c[i] = float32(normalPoly[i+2])
	}
	return c
}()

// log32 is float32(math.Log(float64(x))) for x in [2⁻³², 1], for each of which the two were compared on amd64; it is the faster. With x = 2ᵏ·z and a c near 1/z of so few
// bits that r = z·c − 1 is exact, log x = k·log 2 − log c + log(1+r), |r| < 2⁻⁷.
func log32(x float32) float32 {
	const start, bits = 0x3f338000, 7 // z is in [0.701, 1.402), cut into 2⁷ parts, of which one has its middle near 1
	b := math.Float32bits(x)
	above := b - start
	part := &logParts[above>>(23-bits)%(1<<bits)]
	z := float64(math.Float32frombits(b - above&0xff800000))
	k := float64(int32(above) >> 23)
	r := z*part.c - 1
	r2 := r * r
	q := float64(r*(1./3)) - 0.5 + float64(r2*(float64(r*0.2)-0.25+float64(r2*(float64(r*(1./7))-1./6))))
	return float32(float64(k*math.Ln2) + part.minusLog + (r + float64(r2*q)))
}

// logParts has c and −log c for each part.
var logParts = func() (parts [128]struct{ c, minusLog float64 }) {
	for i := range parts {
		low := math.Float32frombits(0x3f338000 + uint32(i)<<16)
		high := math.Float32frombits(0x3f338000 + uint32(i+1)<<16)
		c := math.Round(0x1p20*2/(float64(low)+float64(high))) * 0x1p-20 // 21 bits: with z's 24 they make no more than 53
		if low <= 1 && 1 < high {
			c = 1 // log x keeps its precision near 1
		}
		parts[i].c, parts[i].minusLog = c, -math.Log(c)
	}
	return parts
}()

// normalHost64 is normal64 on the host.
func normalHost64(hi, lo uint32) float64 {
	p := float64(hi&0x7FFFFFFF)*0x1p-32 + float64((float64(lo)+0.5)*0x1p-64)
	q := 0.5 - p
	var z float64
	if q <= 0.425 {
		s := 0.180625 - float64(q*q)
		z = q * (hostHorner(s, &as241[0]) / hostHorner(s, &as241[1]))
	} else if r := math.Sqrt(-math.Log(p)); r <= 5 {
		z = hostHorner(r-1.6, &as241[2]) / hostHorner(r-1.6, &as241[3])
	} else {
		z = hostHorner(r-5, &as241[4]) / hostHorner(r-5, &as241[5])
	}
	if hi > 0x7FFFFFFF {
		return -z
	}
	return z
}

func hostHorner(t float64, coefficients *[8]float64) float64 {
	y := float64(t*coefficients[0]) + coefficients[1]
	for _, c := range coefficients[2:] {
		y = float64(y*t) + c
	}
	return y
}
