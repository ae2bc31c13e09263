// Package plots draws energy landscapes, samples and training curves as PNG pictures and animated PNGs.
//
// A picture is a [Panel] to which layers are added, last on top; [Panels] sets several side by side in a [Figure] and
// [Animation] makes one move. Show displays it inline in a GoNB notebook and elsewhere writes a file and says where;
// Save and PNG always write. Errors of every step are kept and returned by Show, Save or PNG, so that a picture is one
// expression:
//
//	err := plots.Contour(f, plots.Box(-2, 2)).Scatter(samples).Title("Double well").Show()
//
// The package knows nothing of energies: a landscape is a [Func], evaluated once on a whole grid of points. Points are
// *tensors.Tensor of shape [n, 2], [][]float32, [][]float64, [][2]float32 or [][2]float64; series are *tensors.Tensor of
// shape [n], []float32, []float64 or []int.
//
//	Contour   filled contours with a colour bar        Scatter     points, coloured by label
//	Heat      a continuous colour map                  Trajectory  a path with its start and its end
//	Surface   a shaded surface in three dimensions     Quiver      arrows of a vector field
//	Density   counts of points in cells                Hist        a histogram beside its exact density
//	Matrix    a table of numbers in coloured cells     Images      pictures in rows
//	Line, Curve, Band, HLine, VLine  curves: loss, energies
//
// PNG and APNG are the only formats because they alone show in a notebook that is not trusted, in exported HTML and
// offline. Files are small: pictures are reduced to 256 colours where that cannot be seen. The same data gives the same
// bytes.
package plots
