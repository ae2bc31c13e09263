package datasets

import (
	"bufio"
	"encoding/csv"
	stderrors "errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// CSV says how to read a file of comma-separated values. The zero value reads every column of a comma-separated file (of a
// tab-separated one when its name ends in .tsv) as a coordinate.
type CSV struct {
	Comma   rune     // between fields, default ',' ('\t' for .tsv)
	Header  bool     // the first record is a header although its fields are numbers, as pandas writes 0,1,2
	Columns []string // the coordinates, in this order; default all columns but Label
	Label   string   // a column of class names, words or numbers; default none
}

// ReadCSV reads a file of points, one a record. A first record without any number is taken as the header; without a header
// the columns are called "1", "2", …. Blank lines and lines that begin with # are skipped. The labels of column Label become
// 0 … classes−1 in the order of their names (numeric where all are integers), which are kept in Classes.
//
// Every field of the chosen columns must be a finite number within float32: an error names the file, the line, the column and
// the value otherwise. Missing values are errors. Memory stays within a small multiple of the file's size.
func ReadCSV(path string, o CSV) (*Data, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if o.Comma == 0 && strings.EqualFold(filepath.Ext(path), ".tsv") {
		o.Comma = '\t'
	}
	d, err := readCSV(f, path, o)
	if err != nil {
		return nil, err
	}
	d.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return d, nil
}

// openRegular opens a file that ends: not a directory, a device or a pipe, whose size nothing bounds.
func openRegular(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.WithStack(err) // it names the path
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, errors.WithStack(err)
	}
	return f, nil
}

func readCSV(r io.Reader, name string, o CSV) (*Data, error) {
	br := bufio.NewReader(r)
	if mark, _ := br.Peek(3); string(mark) == "\ufeff" {
		br.Discard(3) // byte order mark
	}
	cr := csv.NewReader(br)
	cr.ReuseRecord = true
	cr.FieldsPerRecord = -1 // checked below, for a clearer message
	cr.Comment = '#'
	if o.Comma != 0 {
		cr.Comma = o.Comma
	}
	record, err := cr.Read()
	if err != nil && err != io.EOF && !stderrors.As(err, new(*csv.ParseError)) && o.Comma != 0 {
		return nil, errors.Wrapf(err, "%s: Comma = %q", name, o.Comma)
	}
	if err == io.EOF {
		return nil, errors.Errorf("%s: no records", name)
	}
	if err != nil {
		return nil, csvError(name, err)
	}
	width := len(record)
	firstLine, _ := cr.FieldPos(0)
	header := o.Header || isHeader(record)
	names := make([]string, width)
	for j := range names {
		if names[j] = strconv.Itoa(j + 1); header {
			names[j] = strings.TrimSpace(record[j])
		}
	}
	coords, label, err := chooseColumns(name, names, o)
	if err != nil {
		return nil, err
	}
	d := &Data{Dim: len(coords), Columns: make([]string, len(coords))}
	for i, j := range coords {
		d.Columns[i] = names[j]
	}
	var classes []string // of every point
	if header {
		record, err = cr.Read()
	}
	for ; err == nil; record, err = cr.Read() {
		line, _ := cr.FieldPos(0)
		if len(record) != width {
			return nil, errors.Errorf("%s: line %d has %d fields, want %d as in line %d", name, line, len(record), width, firstLine)
		}
		for _, j := range coords {
			v, why := parse(record[j])
			if why != "" {
				line, _ := cr.FieldPos(j)
				return nil, errors.Errorf("%s: line %d, column %d (%s): %.40q %s", name, line, j+1, names[j], record[j], why)
			}
			d.X = append(d.X, v)
		}
		if label >= 0 {
			class := strings.TrimSpace(record[label])
			if isMissing(class) {
				line, _ := cr.FieldPos(label)
				return nil, errors.Errorf("%s: line %d, column %d (%s): %.40q is a missing value", name, line, label+1, names[label], record[label])
			}
			classes = append(classes, strings.Clone(class))
		}
	}
	if err != io.EOF {
		return nil, csvError(name, err)
	}
	if len(d.X) == 0 {
		return nil, errors.Errorf("%s: no records after the header", name)
	}
	if label >= 0 {
		d.Labels, d.Classes = number(classes)
	}
	return d, d.Validate()
}

// chooseColumns finds the columns asked for; label is −1 for none.
func chooseColumns(file string, names []string, o CSV) (coords []int, label int, err error) {
	find := func(field, want string) int {
		at := slices.Index(names, want)
		if at < 0 && err == nil {
			err = errors.Errorf("%s: %s %.40q is not a column; there are %.200q", file, field, want, names)
		}
		return at
	}
	label = -1
	if o.Label != "" {
		label = find("Label", o.Label)
	}
	for _, want := range o.Columns {
		coords = append(coords, find("Columns", want))
	}
	if o.Columns == nil {
		for j := range names {
			if j != label {
				coords = append(coords, j)
			}
		}
	}
	if err == nil && len(coords) == 0 {
		err = errors.Errorf("%s: Columns: no column is left for the coordinates", file)
	}
	return coords, label, err
}

// isHeader: at least one word and no number. A first field may be empty, as R writes it above row names.
func isHeader(record []string) bool {
	words := 0
	for j, field := range record {
		field = strings.TrimSpace(field)
		if _, err := strconv.ParseFloat(field, 64); err == nil || stderrors.Is(err, strconv.ErrRange) {
			return false
		}
		if isMissing(field) && !(j == 0 && field == "") {
			return false
		}
		if field != "" {
			words++
		}
	}
	return words > 0
}

func isMissing(field string) bool {
	switch strings.ToLower(field) {
	case "", "na", "n/a", "nan", "null", "none", "?", "-", ".":
		return true
	}
	return false
}

// parse reads a finite float32; why tells what is wrong otherwise.
func parse(field string) (v float32, why string) {
	field = strings.TrimSpace(field)
	x, err := strconv.ParseFloat(field, 32)
	switch {
	case isMissing(field):
		return 0, "is a missing value"
	case stderrors.Is(err, strconv.ErrRange):
		return 0, "does not fit in float32"
	case err != nil:
		return 0, "is not a number"
	case math.IsInf(x, 0) || math.IsNaN(x):
		return 0, "is not finite"
	}
	return float32(x), ""
}

// number maps class names to 0 … classes−1, in numeric order if all are integers, else in the order of the words.
func number(names []string) (labels []int32, classes []string) {
	classes = slices.Compact(slices.Sorted(slices.Values(names)))
	integers := make(map[string]int64, len(classes))
	for _, c := range classes {
		if v, err := strconv.ParseInt(c, 10, 64); err == nil {
			integers[c] = v
		}
	}
	if len(integers) == len(classes) {
		slices.SortStableFunc(classes, func(a, b string) int {
			if integers[a] < integers[b] {
				return -1
			} else if integers[a] > integers[b] {
				return 1
			}
			return 0
		})
	}
	at := make(map[string]int32, len(classes))
	for k, c := range classes {
		at[c] = int32(k)
	}
	labels = make([]int32, len(names))
	for i, c := range names {
		labels[i] = at[c]
	}
	return labels, classes
}

func csvError(name string, err error) error {
	var p *csv.ParseError
	if stderrors.As(err, &p) {
		return errors.Errorf("%s: line %d, byte %d: %v", name, p.Line, p.Column, p.Err)
	}
	return errors.Wrapf(err, "%s: reading", name)
}
