// Command devices measures what a training step costs on one device and on several (TrainOptions.Devices), writes it to
// benchmarks/devices.json and prints it as a table for benchmarks/README.md.
//
//	go run ./benchmarks/devices                 # XLA's CPU plugin, 1, 2 and 4 devices
//	go run ./benchmarks/devices -quick          # two epochs of each, to build/devices.json
//	go run ./benchmarks/devices -only PCD       # some rows anew; the file keeps the others
//	go run ./benchmarks/devices -print          # the table alone
//	GOMLX_BACKEND=xla:cuda go run ./benchmarks/devices -devices 1,2,8
//
// The trainings of a row take turns, an epoch of some steps at a time, so that a busy moment hits all of them.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

var (
	out    = flag.String("o", "", "where the figures go; default benchmarks/devices.json, with -quick build/devices.json")
	quick  = flag.Bool("quick", false, "two epochs of each, to try it")
	epochs = flag.Int("epochs", 31, "that count, of each training")
	only   = flag.String("only", "", "rows whose name has this in it")
	print  = flag.Bool("print", false, "only print what the file has")
	counts = flag.String("devices", "1,2,4", "numbers of devices, the first is what the others are compared with")
)

// work is a training whose step is timed.
type work struct {
	name         string
	batch, steps int // rows; steps in an epoch
	data         func(n int) *datasets.Data
	labels       bool
	loss         func(store *model.Store) ebm.Loss
}

var works = []work{
	{"flow matching, MLP 3-64-64-2, batch 256", 256, 256, moons, false, flowMatching},
	{"flow matching, MLP 3-64-64-2, batch 4096", 4096, 16, moons, false, flowMatching},
	{"flow matching, transformer 96 × 4 on 8×8 digits, batch 128", 128, 4, digits, true, transformer},
	{"PCD-10, MLP 2-64-64-1, batch 128, buffer 8192", 128, 64, moons, false, contrastive},
}

func moons(n int) *datasets.Data { return must.M1(datasets.TwoMoons{N: n}.Generate()) }

// digits are the first n, which all have labels.
func digits(n int) *datasets.Data {
	d := must.M1(datasets.Digits())
	d.X, d.Labels = d.X[:n*d.Dim], d.Labels[:n]
	return d
}

func flowMatching(store *model.Store) ebm.Loss {
	return losses.FlowMatching{Field: nn.MLPField{Scope: store.Scope("/field"), Timed: true}}
}

func transformer(store *model.Store) ebm.Loss {
	return losses.FlowMatching{Field: nn.ConditionalTransformer2D{Scope: store.Scope("/field"), Width: 96, Depth: 4, Heads: 4, Classes: 10}}
}

func contrastive(store *model.Store) ebm.Loss {
	return losses.ContrastiveDivergence{Energy: nn.MLPEnergy(store.Scope("/energy"), 64, 64), Kernel: samplers.Langevin{StepSize: ebm.Fixed(1e-2)}, Steps: 10,
		Persistent: true, Buffer: 8192, Fresh: .05, EnergyL2: .1}
}

// result is what a training's step costs.
type result struct {
	Work    string     `json:"work"`
	Devices int        `json:"devices"`
	MS      [3]float64 `json:"ms_a_step"`     // quartiles over the epochs
	CPUMS   float64    `json:"cpu_ms_a_step"` // of all cores, median
	First   float64    `json:"first_epoch_s"` // with compiling
	Steps   int        `json:"steps_an_epoch"`
	Epochs  int        `json:"epochs"`
	Load    string     `json:"load_average"` // of the machine, at the end
	Date    string     `json:"date"`
}

type report struct {
	Backend string   `json:"backend"`
	Cores   int      `json:"cores"`
	Results []result `json:"results"`
}

func main() {
	flag.Parse()
	path := *out
	if *quick {
		*epochs = 2
	}
	if path == "" {
		path = filepath.Join(map[bool]string{false: "benchmarks", true: "build"}[*quick], "devices.json")
	}
	var r report
	if text, err := os.ReadFile(path); err == nil {
		must.M(json.Unmarshal(text, &r))
	}
	if !*print {
		var devices []int
		for _, n := range strings.Split(*counts, ",") {
			devices = append(devices, must.M1(strconv.Atoi(n)))
		}
		b := must.M1(backend.New())
		r.Backend, r.Cores = fmt.Sprintf("%s, %d devices", b.Name(), b.NumDevices()), runtime.NumCPU()
		for _, w := range works {
			if !strings.Contains(w.name, *only) {
				continue
			}
			r.Results = append(slices.DeleteFunc(r.Results, func(old result) bool { return old.Work == w.name }), w.measure(b, devices)...)
			must.M(os.MkdirAll(filepath.Dir(path), 0o777))
			must.M(ebm.WriteFile(path, append(must.M1(json.MarshalIndent(r, "", " ")), '\n')))
		}
	}
	r.table()
}

// table prints a row for each number of devices.
func (r report) table() {
	fmt.Println("| training step | devices | ms, median | quartiles | times as fast | CPU ms |\n|---|--:|--:|--:|--:|--:|")
	for _, w := range works {
		one := 0.0
		for _, row := range r.Results {
			if row.Work != w.name {
				continue
			}
			if one == 0 {
				one = row.MS[1]
			}
			fmt.Printf("| %s | %d | %.3g | %.3g–%.3g | %.2f | %.3g |\n", row.Work, row.Devices, row.MS[1], row.MS[0], row.MS[2], one/row.MS[1], row.CPUMS)
		}
	}
}

// measure trains on each number of devices; the trainings hand a baton on at the end of every epoch.
func (w work) measure(b compute.Backend, devices []int) []result {
	turns := make([]chan bool, len(devices))
	for i := range turns {
		turns[i] = make(chan bool, 1)
	}
	results, done := make([]result, len(devices)), make(chan bool)
	data := w.data(w.batch * w.steps)
	for i, n := range devices {
		go func() {
			<-turns[i]
			next := func() { turns[(i+1)%len(turns)] <- true }
			results[i] = w.train(b, data, n, func() { next(); <-turns[i] })
			next()
			done <- true
		}()
	}
	turns[0] <- true
	for range devices {
		<-done
	}
	return results
}

// train times the epochs of a training, and lets the others have their turn after each.
func (w work) train(b compute.Backend, data *datasets.Data, devices int, turn func()) result {
	r := result{Work: w.name, Devices: devices, Steps: w.steps, Epochs: *epochs}
	var ms, cpu []float64
	began, used := time.Now(), cpuTime()
	store := model.NewStore()
	must.M1(ebm.Train(context.Background(), b, store, w.loss(store), &datasets.Batches{Data: data, Size: w.batch, Labels: w.labels},
		ebm.TrainOptions{Epochs: *epochs + 2, Devices: devices, OnEpoch: func(epoch int, _ ebm.TrainProgress) error {
			took := time.Since(began)
			switch epoch {
			case 1:
				r.First = took.Seconds()
			case 2: // while calls grow to their length
			default:
				ms = append(ms, took.Seconds()*1e3/float64(w.steps))
				cpu = append(cpu, (cpuTime()-used).Seconds()*1e3/float64(w.steps))
			}
			turn()
			began, used = time.Now(), cpuTime()
			return nil
		}}))
	slices.Sort(ms)
	slices.Sort(cpu)
	for q := range r.MS {
		r.MS[q] = ms[(q+1)*len(ms)/4]
	}
	r.CPUMS, r.Load, r.Date = cpu[len(cpu)/2], load(), time.Now().Format("2006-01-02")
	return r
}

// cpuTime is what this process has used of all cores.
func cpuTime() time.Duration {
	var u syscall.Rusage
	must.M(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load is the machine's load average over a minute, where it can be read.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}
