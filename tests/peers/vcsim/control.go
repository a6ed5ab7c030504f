// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// The simulator's own limit is memory; a request of a test is small.
const maxBody = 16 << 20

// A ledger counts what was asked of the simulator. Control port:
//
//	GET    /calls     counts by SOAP method, by REST request, per object for the methods that change something
//	POST   /reset     all counts to zero
//	PUT    /delay     {"all": ms, "methods": {"PowerOnVM_Task": ms}, "tasks": {"PowerOn": ms}}; methods delay
//	                  the call's answer, tasks let the call answer at once and the task itself run so long
//	POST   /faults    {"method", "type", "name", "fault", "message", "probability", "max", "skip", "delay_ms"}
//	GET    /faults    the rules and how often each one was used
//	DELETE /faults    no more faults
//	GET    /keys      what was typed on keyboards, see screen.go
type ledger struct {
	mu       sync.Mutex
	soap     map[string]int64
	rest     map[string]int64
	objects  map[string]int64 // "PowerOnVM_Task vm-12": only methods that end in _Task
	bytesIn  int64
	bytesOut int64
	inFlight int64
	maxOpen  int64
	all      int
	delays   map[string]int
}

func newLedger(all int, delays map[string]int) *ledger {
	l := &ledger{all: all, delays: delays}
	l.reset()
	return l
}

func (l *ledger) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.soap = make(map[string]int64)
	l.rest = make(map[string]int64)
	l.objects = make(map[string]int64)
	l.bytesIn, l.bytesOut, l.maxOpen = 0, 0, 0
}

// method finds the name of the SOAP call and the id of its object without decoding the rest.
func method(body []byte) (name, object string) {
	d := xml.NewDecoder(bytes.NewReader(body))
	inBody := false
	for {
		tok, err := d.Token()
		if err != nil {
			return name, object
		}
		start, ok := tok.(xml.StartElement)
		switch {
		case !ok:
		case !inBody:
			inBody = start.Name.Local == "Body"
		case name == "":
			name = start.Name.Local
		default:
			if start.Name.Local == "_this" {
				_ = d.DecodeElement(&object, &start)
			}
			return name, object
		}
	}
}

func (l *ledger) enter(r *http.Request, body []byte) (wait time.Duration) {
	name, object := "", ""
	if strings.HasPrefix(r.URL.Path, "/sdk") && r.Method == http.MethodPost {
		name, object = method(body)
		if name == "" {
			name = "(unreadable)"
		}
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytesIn += int64(len(body))
	l.inFlight++
	l.maxOpen = max(l.maxOpen, l.inFlight)
	if name == "" {
		l.rest[r.Method+" "+r.URL.Path]++
		return 0
	}
	l.soap[name]++
	if strings.HasSuffix(name, "_Task") {
		l.objects[name+" "+object]++
	}
	return time.Duration(l.all+l.delays[name]) * time.Millisecond
}

type countingWriter struct {
	http.ResponseWriter
	n int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (l *ledger) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		if strings.HasPrefix(r.URL.Path, "/sdk") {
			var err error
			body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if err != nil {
				http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}

		wait := l.enter(r, body)
		cw := &countingWriter{ResponseWriter: w}
		defer func() {
			l.mu.Lock()
			l.inFlight--
			l.bytesOut += cw.n
			l.mu.Unlock()
		}()
		// A real server goes on with a call whose client has gone.
		time.Sleep(wait)
		next.ServeHTTP(cw, r)
	})
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (l *ledger) calls(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	answer(w, map[string]any{
		"soap": l.soap, "rest": l.rest, "objects": l.objects, "bytes_in": l.bytesIn,
		"bytes_out": l.bytesOut, "in_flight": l.inFlight, "max_in_flight": l.maxOpen,
	})
}

func (l *ledger) setDelay(w http.ResponseWriter, r *http.Request) {
	var want struct {
		All     int            `json:"all"`
		Methods map[string]int `json:"methods"`
		Tasks   map[string]int `json:"tasks"`
	}
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	l.all, l.delays = want.All, want.Methods
	// Without this entry the object stays locked, and cannot be read, while its task is delayed.
	tasks := map[string]int{"LockHandoff": 0}
	maps.Copy(tasks, want.Tasks)
	simulator.TaskDelay = simulator.DelayConfig{MethodDelay: tasks}
	l.mu.Unlock()
	answer(w, want)
}

type faultRule struct {
	Method      string  `json:"method"`
	Type        string  `json:"type"`
	Name        string  `json:"name"`
	Fault       string  `json:"fault"` // name of a vim25 fault type
	Message     string  `json:"message"`
	Probability float64 `json:"probability"`
	Max         int     `json:"max"`
	Skip        int     `json:"skip"`
	DelayMs     int     `json:"delay_ms"`
}

func orAny(text string) string {
	if text == "" {
		return "*"
	}
	return text
}

func (f *faultRule) rule() (*simulator.FaultInjectionRule, error) {
	r := &simulator.FaultInjectionRule{
		MethodName: orAny(f.Method), ObjectType: orAny(f.Type), ObjectName: orAny(f.Name),
		Probability: f.Probability, Message: f.Message, MaxCount: f.Max, SkipCount: f.Skip,
		Delay: f.DelayMs, Enabled: true, FaultType: simulator.FaultTypeGeneric,
	}
	if r.Probability == 0 {
		r.Probability = 1
	}
	if f.Fault == "" {
		return r, nil
	}
	t, ok := types.TypeFunc()(f.Fault)
	if !ok {
		return nil, fmt.Errorf("no vim25 type is called %q", f.Fault)
	}
	fault, ok := reflect.New(t).Interface().(types.BaseMethodFault)
	if !ok {
		return nil, fmt.Errorf("%q is not a fault", f.Fault)
	}
	r.FaultType = simulator.FaultTypeCustom
	r.Fault = fault
	return r, nil
}

func faults(m *simulator.Model) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			var want faultRule
			if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			rule, err := want.rule()
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			m.Service.AddFaultRule(rule)
			answer(w, want)
		case http.MethodDelete:
			m.Service.ClearFaultRules()
			w.WriteHeader(http.StatusNoContent)
		default:
			answer(w, m.Service.GetFaultStats())
		}
	}
}

func (l *ledger) control(m *simulator.Model, s *screens) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /calls", l.calls)
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		l.reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /delay", l.setDelay)
	mux.HandleFunc("/faults", faults(m))
	mux.HandleFunc("GET /keys", s.keys)
	return mux
}
