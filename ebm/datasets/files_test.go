package datasets

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npy"
	"gonum.org/v1/gonum/mat"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadCSV(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		o             CSV
		x             []float32
		columns       []string
		labels        []int32
		classes       []string
	}{
		"plain":      {"a.csv", "1,2\n3,4\n", CSV{}, []float32{1, 2, 3, 4}, []string{"1", "2"}, nil, nil},
		"header":     {"a.csv", "\ufeff# by hand\nx, y\n1, 2e1\n\n-3,.5", CSV{}, []float32{1, 20, -3, .5}, []string{"x", "y"}, nil, nil},
		"tabs":       {"a.tsv", "x\ty\r\n1\t2\r\n", CSV{}, []float32{1, 2}, []string{"x", "y"}, nil, nil},
		"semicolons": {"a.csv", "1;2\n", CSV{Comma: ';'}, []float32{1, 2}, []string{"1", "2"}, nil, nil},
		"pandas":     {"a.csv", "0,1\n5,6\n", CSV{Header: true}, []float32{5, 6}, []string{"0", "1"}, nil, nil},
		"row names":  {"a.csv", "\"\",x,y\na,1,2\n", CSV{Columns: []string{"y", "x"}}, []float32{2, 1}, []string{"y", "x"}, nil, nil},
		"words":      {"a.csv", "x,kind\n1,long\n2,short\n3,long\n", CSV{Label: "kind"}, []float32{1, 2, 3}, []string{"x"}, []int32{0, 1, 0}, []string{"long", "short"}},
		"integers":   {"a.csv", "10,1\n9,2\n10,3\n", CSV{Label: "1"}, []float32{1, 2, 3}, []string{"2"}, []int32{1, 0, 1}, []string{"9", "10"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := ReadCSV(write(t, c.file, []byte(c.content)), c.o)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(d.X, c.x) || !slices.Equal(d.Columns, c.columns) || !slices.Equal(d.Labels, c.labels) || !slices.Equal(d.Classes, c.classes) || d.Name != "a" {
				t.Errorf("got %+v", d)
			}
		})
	}
}

func TestReadCSVErrors(t *testing.T) {
	for _, c := range []struct {
		content string
		o       CSV
		says    string
	}{
		{"x,y\n1,2\n3,four\n", CSV{}, `a.csv: line 3, column 2 (y): "four" is not a number`},
		{"1,2\n3,hello\n", CSV{}, `a.csv: line 2, column 2 (2): "hello" is not a number`},
		{"1,word\n3,4\n", CSV{}, `a.csv: line 1, column 2 (2): "word" is not a number`},
		{"x\n1\nNA\n", CSV{}, `a.csv: line 3, column 1 (x): "NA" is a missing value`},
		{"x,y\n1,\n", CSV{}, `a.csv: line 2, column 2 (y): "" is a missing value`},
		{"x\n\"1\n2\"\n", CSV{}, `a.csv: line 2, column 1 (x): "1\n2" is not a number`},
		{"x\nnan\n", CSV{}, `"nan" is a missing value`},
		{"x\n-Inf\n", CSV{}, `a.csv: line 2, column 1 (x): "-Inf" is not finite`},
		{"x\n1e39\n", CSV{}, `"1e39" does not fit in float32`},
		{"x,y\n1,2\n3\n", CSV{}, "a.csv: line 3 has 1 fields, want 2 as in line 1"},
		{"x,y\n1,2\n3,4,5\n", CSV{}, "a.csv: line 3 has 3 fields, want 2 as in line 1"},
		{"", CSV{}, "a.csv: no records"},
		{"x,y\n", CSV{}, "a.csv: no records after the header"},
		{"x\n1\"2\n", CSV{}, "a.csv: line 2, byte 2: bare"},
		{"x,y\n1,2\n", CSV{Columns: []string{"x", "z"}}, `Columns "z" is not a column; there are ["x" "y"]`},
		{"x,y\n1,2\n", CSV{Label: "kind"}, `Label "kind" is not a column`},
		{"x\n1\n", CSV{Label: "x"}, "no column is left"},
		{"x,kind\n1,\n", CSV{Label: "kind"}, `line 2, column 2 (kind): "" is a missing value`},
		{"x\n1\n", CSV{Comma: '"'}, `a.csv: Comma = '"'`},
	} {
		_, err := ReadCSV(write(t, "a.csv", []byte(c.content)), c.o)
		wantErr(t, err, c.says)
	}
	_, err := ReadCSV("/no/such.csv", CSV{})
	wantErr(t, err, "/no/such.csv", "no such file")
	_, err = ReadCSV(t.TempDir(), CSV{})
	wantErr(t, err, "not a regular file")
}

// npyBytes is a file of version 1 with the given header and data.
func npyBytes(descr, order, shape string, data []byte) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape)
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(out, header...), data...)
}

func TestReadNPY(t *testing.T) {
	var dense bytes.Buffer
	if err := npy.Write(&dense, mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 6})); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		dim     int
		event   []int
		x       []float32
	}{
		"float64":    {dense.Bytes(), 2, nil, []float32{1, 2, 3, 4, 5, 6}},
		"vector":     {npyBytes("|u1", "False", "(3,)", []byte{1, 2, 255}), 1, nil, []float32{1, 2, 255}},
		"fortran":    {npyBytes("|i1", "True", "(3, 2)", []byte{1, 3, 5, 2, 4, 0xfa}), 2, nil, []float32{1, 2, 3, 4, 5, -6}},
		"images":     {npyBytes("|u1", "True", "(2, 1, 2)", []byte{1, 3, 2, 4}), 2, []int{1, 2}, []float32{1, 2, 3, 4}},
		"big-endian": {npyBytes(">i2", "False", "(1, 2)", []byte{1, 0, 0xff, 0xff}), 2, nil, []float32{256, -1}},
		"bool":       {npyBytes("|b1", "False", "(2, 1)", []byte{1, 0}), 1, nil, []float32{1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := ReadNPY(write(t, "a.npy", c.content))
			if err != nil {
				t.Fatal(err)
			}
			if d.Dim != c.dim || !slices.Equal(d.Event, c.event) || !slices.Equal(d.X, c.x) || d.Name != "a" {
				t.Errorf("got %+v", d)
			}
		})
	}
}

func TestReadNPYErrors(t *testing.T) {
	var special, large bytes.Buffer
	_ = npy.Write(&special, mat.NewDense(2, 2, []float64{1, 2, math.NaN(), 4}))
	_ = npy.Write(&large, []float64{1, -1e300})
	for says, content := range map[string][]byte{
		"a.npy: row 1, column 0: NaN is not finite":                    special.Bytes(),
		"a.npy: row 1, column 0: -1e+300 does not fit in float32":      large.Bytes(),
		"a.npy: not an NPY file":                                       []byte("x,y\n1,2\n3,4\n5,6\n"),
		"a.npy: 8 bytes of data, want 12 for shape [3] of float32":     npyBytes("<f4", "False", "(3,)", make([]byte, 8)),
		"a.npy: 16 bytes of data, want 12 for shape [3] of float32":    npyBytes("<f4", "False", "(3,)", make([]byte, 16)),
		"a.npy: shape [1000000 1000000] is larger than the file":       npyBytes("<f4", "False", "(1000000, 1000000)", nil),
		"a.npy: shape [4611686018427387904 4] is larger than the file": npyBytes("<f4", "False", "(4611686018427387904, 4)", nil),
		"a.npy: shape [0 2] has no elements":                           npyBytes("<f4", "False", "(0, 2)", nil),
		"a.npy: shape [-1 2] has no elements":                          npyBytes("<f4", "False", "(-1, 2)", nil),
		"a.npy: shape () is a single number":                           npyBytes("<f4", "False", "()", make([]byte, 4)),
		`a.npy: dtype "<U3", want a real number`:                       npyBytes("<U3", "False", "(1,)", make([]byte, 12)),
		`a.npy: dtype "<c8", want a real number`:                       npyBytes("<c8", "False", "(1,)", make([]byte, 8)),
		`a.npy: dtype "<f2", want a real number`:                       npyBytes("<f2", "False", "(1,)", make([]byte, 2)),
		"a.npy: NPY version 9.0":                                       append([]byte("\x93NUMPY\x09\x00"), make([]byte, 20)...),
		"a.npy: NPY header of 4294967295 bytes in a file of 20":        append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), make([]byte, 8)...),
		"a.npy: malformed NPY header":                                  append([]byte("\x93NUMPY\x01\x00\x04\x00"), "abcd"...),
	} {
		_, err := ReadNPY(write(t, "a.npy", content))
		wantErr(t, err, says)
	}
	_, err := ReadNPY("/no/such.npy")
	wantErr(t, err, "/no/such.npy")
}

// Whatever the bytes: no panic, and what is accepted is valid and no larger than the file can hold.
func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("x,y\n1,2\n"), "", "", int32(0), false)
	f.Add([]byte("\ufeff0;k\n1;a\n\"2\n\";b"), "0", "k", int32(';'), true)
	f.Add([]byte("1,NA\n,\"\"\"\n#"), "2", "1", int32('\n'), false)
	f.Fuzz(func(t *testing.T, content []byte, column, label string, comma int32, header bool) {
		o := CSV{Comma: comma, Header: header, Label: label}
		if column != "" {
			o.Columns = []string{column}
		}
		d, err := readCSV(bytes.NewReader(content), "fuzz", o)
		checkFuzzed(t, d, err, len(content))
	})
}

func FuzzReadNPY(f *testing.F) {
	f.Add(npyBytes("<f4", "False", "(2, 1)", make([]byte, 8)))
	f.Add(npyBytes("|b1", "True", "(2, 1, 3)", make([]byte, 6)))
	f.Add(npyBytes("<U3", "False", "(4611686018427387904, 4)", nil))
	f.Add(append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), make([]byte, 8)...))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := readNPY(content, "fuzz")
		checkFuzzed(t, d, err, len(content))
	})
}

func checkFuzzed(t *testing.T, d *Data, err error, size int) {
	if err != nil {
		if d != nil || !strings.HasPrefix(err.Error(), "fuzz: ") {
			t.Errorf("data %v with error %q", d, err)
		}
		return
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	if len(d.X) > size || len(d.Labels) > size {
		t.Errorf("%d values from %d bytes", len(d.X), size)
	}
}
