// Package losses holds what energies are trained with, one objective a file. Each is an [ebm.Loss], a plain value, and goes to
// [ebm.Train] or into a model function of one's own.
//
//	ContrastiveDivergence   chains chase the data's energy down, from the data (CD-k) or persistently (PCD)
package losses
