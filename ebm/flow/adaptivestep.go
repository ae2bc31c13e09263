package flow

import (
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Step tries one step of every chain that is still on its way.
func (k solving) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, t, size, status := s[0], s[atTime], s[atSize], s[atStatus]
	m := env.Cond[0].Shape().Dimensions[1] - 1
	running := Equal(status, Const(x.Graph(), int32(onTheWay)))
	target, due := k.target(env.Cond[0], s[atReached])
	sign := Sign(Sub(column(env.Cond[0], m), column(env.Cond[0], 0)))

	// As long as proposed, within the limits; the last step before a time that is due ends there.
	shortest := MaxScalar(MulScalar(Max(Abs(t), Abs(target)), 8*epsilon(x.DType())), k.MinStep)
	size = Max(size, shortest)
	if !math.IsInf(k.MaxStep, 1) {
		size = MinScalar(size, k.MaxStep)
	}
	left := Mul(Sub(target, t), sign)
	ends := GreaterOrEqual(MulScalar(size, 1.01), left)
	length := Where(ends, left, size)
	dt := Where(running, Mul(length, sign), ZerosLike(t))

	var first *Node
	slopes := len(k.Method.A)
	if k.Method.firstSameAsLast() {
		first, slopes = s[atSlope], slopes-1
	}
	next, err, last := k.Method.stages(k.follow(env), x, t, dt, first)
	scale := AddScalar(MulScalar(Max(Abs(x), Abs(next)), k.RTol), k.ATol)
	figure := rms(Div(err, scale))
	finite := IsFinite(Add(figure, rms(next)))
	good := LogicalAnd(finite, LessOrEqual(figure, ConstAs(figure, 1)))
	taken := LogicalAnd(running, good)
	arrived := LogicalAnd(taken, ends)
	stuck := LogicalAnd(running, LogicalAnd(LogicalNot(good), LessOrEqual(length, shortest)))

	// The next length. A step cut short to end at a time says nothing against the length that was proposed.
	order := float64(k.Method.P)
	bounded := MaxScalar(figure, 1e-10)
	grown := Mul(length, clip(MulScalar(Mul(power(bounded, -0.7/order), power(s[atBefore], 0.4/order)), 0.9), 0.2, 10))
	grown = Where(ends, Max(size, grown), grown)
	shrunk := Mul(length, Where(finite, clip(MulScalar(power(bounded, -1/order), 0.9), 0.2, 0.9), ConstAs(figure, 0.2)))

	one := func(is *Node) *Node { return ConvertDType(is, dtypes.Int32) }
	reached := Add(s[atReached], one(arrived))
	finished := Equal(reached, Const(x.Graph(), int32(m)))
	status = Where(LogicalAnd(running, finished), Const(x.Graph(), int32(Done)), Where(stuck, Const(x.Graph(), int32(StepTooShort)), status))
	here := BroadcastToDims(ExpandAxes(next, 1), s[atValues].Shape().Dimensions...)
	state := ebm.State{
		Where(taken, next, x),
		Where(taken, Where(ends, target, Add(t, dt)), t),
		Where(running, Where(good, grown, shrunk), s[atSize]),
		Where(taken, MaxScalar(figure, 1e-4), s[atBefore]),
		status,
		Add(s[atEvals], MulScalar(one(running), slopes)),
		Add(s[atTried], one(running)),
		Add(s[atTaken], one(taken)),
		reached,
		Where(LogicalAnd(due, ExpandAxes(arrived, 1)), here, s[atValues]),
	}
	if last != nil {
		state = append(state, Where(taken, last, s[atSlope]))
	}
	return state, ebm.Info{}
}

// Stopped tells which chains have come to an end, and the steps each has tried.
func (k solving) Stopped(s ebm.State) (stopped, steps *Node) {
	return NotEqual(s[atStatus], Const(s[0].Graph(), int32(onTheWay))), s[atTried]
}

// target is the time that each chain goes for, [n], and which of the m it is, [n, m].
func (k solving) target(times, reached *Node) (target, due *Node) {
	n, m := times.Shape().Dimensions[0], times.Shape().Dimensions[1]-1
	stops := Slice(times, AxisRange(), AxisRange(1, m+1))
	due = Equal(Iota(times.Graph(), shapes.Make(dtypes.Int32, n, m), 1), ExpandAxes(reached, 1))
	return ReduceSum(Where(due, stops, ZerosLike(stops)), 1), due
}

func power(x *Node, p float64) *Node { return Pow(x, ConstAs(x, p)) }

func clip(x *Node, low, high float64) *Node { return MinScalar(MaxScalar(x, low), high) }

// epsilon is a type's relative rounding, 2⁻²³ or 2⁻⁵².
func epsilon(dtype dtypes.DType) float64 {
	if dtype == dtypes.Float64 {
		return 0x1p-52
	}
	return 0x1p-23
}
