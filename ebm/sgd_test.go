package ebm_test

import "github.com/gomlx/gomlx/ml/train/optimizer"

// plainSGD is gradient descent at the rate it is given.
func plainSGD() optimizer.Interface {
	return optimizer.StochasticGradientDescent().WithDecay(false).Done()
}
