// SPDX-License-Identifier: Apache-2.0

// Command vcsim serves govmomi's vCenter/ESXi simulator for the integration tests.
//
// It is a small program of its own because the tests need two things that a plain simulator does not
// offer from outside: a ledger of the calls that were made, and delays and faults that can be changed while it
// runs. Both are reached through a second, plain HTTP port ("control"), see control.go.
//
// When the whole model exists it prints one line of JSON with the address, and ends on SIGTERM,
// SIGINT or when its standard input closes (-stdin-exit), removing the temporary datastore folders.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/vmware/govmomi/simulator"

	// Each of these adds an end point (tags, content library, storage policies ...) to the server.
	_ "github.com/vmware/govmomi/lookup/simulator"
	_ "github.com/vmware/govmomi/pbm/simulator"
	_ "github.com/vmware/govmomi/sts/simulator"
	_ "github.com/vmware/govmomi/vapi/appliance/simulator"
	_ "github.com/vmware/govmomi/vapi/cis/tasks/simulator"
	_ "github.com/vmware/govmomi/vapi/cluster/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

type options struct {
	listen, control           string
	esx                       bool
	apiVersion                string
	username, password        string
	cert, key                 string
	tls                       bool
	traceFile                 string
	delay                     int
	methodDelay               string
	stdinExit                 bool
	autostart                 bool
	dc, cluster, host, single int
	ds, vm, pool, pg, folder  int
	app, pod, nsx, pgNsx      int
}

func parseFlags() *options {
	o := &options{}
	flag.StringVar(&o.listen, "l", "127.0.0.1:0", "address to serve on; port 0 takes a free one")
	flag.StringVar(&o.control, "control", "127.0.0.1:0", "address of the control port")
	flag.BoolVar(&o.esx, "esx", false, "be one ESXi host instead of a vCenter")
	flag.StringVar(&o.apiVersion, "api-version", "8.0.3.0", "about.apiVersion to report")
	flag.StringVar(&o.username, "username", "", "only this user may log in (default: any non-empty pair)")
	flag.StringVar(&o.password, "password", "", "password of -username")
	flag.StringVar(&o.cert, "cert", "", "PEM certificate to serve with (default: the simulator's own)")
	flag.StringVar(&o.key, "key", "", "PEM key of -cert")
	flag.BoolVar(&o.tls, "tls", true, "serve https")
	flag.StringVar(&o.traceFile, "trace-file", "", "write requests and answers to this file")
	flag.IntVar(&o.delay, "delay", 0, "delay of every SOAP call in ms")
	flag.StringVar(&o.methodDelay, "method-delay", "", "delays by method: Name:ms,Name:ms")
	flag.BoolVar(&o.stdinExit, "stdin-exit", false, "end when standard input closes")
	flag.BoolVar(&o.autostart, "autostart", true, "power the VMs on")
	flag.IntVar(&o.dc, "dc", -1, "datacenters")
	flag.IntVar(&o.cluster, "cluster", -1, "clusters per datacenter")
	flag.IntVar(&o.host, "host", -1, "hosts per cluster")
	flag.IntVar(&o.single, "standalone-host", -1, "standalone hosts per datacenter")
	flag.IntVar(&o.ds, "ds", -1, "datastores per datacenter")
	flag.IntVar(&o.vm, "vm", -1, "VMs per resource pool and per standalone host")
	flag.IntVar(&o.pool, "pool", -1, "resource pools per cluster")
	flag.IntVar(&o.pg, "pg", -1, "distributed port groups per datacenter")
	flag.IntVar(&o.folder, "folder", -1, "folders to put datacenters and their content in")
	flag.IntVar(&o.app, "app", -1, "vApps per cluster")
	flag.IntVar(&o.pod, "pod", -1, "storage pods per cluster")
	flag.IntVar(&o.nsx, "nsx", -1, "opaque (NSX) networks per datacenter")
	flag.IntVar(&o.pgNsx, "pg-nsx", -1, "NSX backed port groups per datacenter")
	flag.Parse()
	if flag.NArg() > 0 {
		fail("unexpected argument %q", flag.Arg(0))
	}
	return o
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "vcsim: "+format+"\n", args...)
	os.Exit(1)
}

// set keeps the model's own default where no flag was given.
func set(field *int, value int) {
	if value >= 0 {
		*field = value
	}
}

func (o *options) model() *simulator.Model {
	m := simulator.VPX()
	if o.esx {
		m = simulator.ESX()
	}
	m.ServiceContent.About.ApiVersion = o.apiVersion
	m.ServiceContent.About.Version = strings.Join(strings.SplitN(o.apiVersion+".0.0", ".", 4)[:3], ".")
	m.Autostart = o.autostart
	set(&m.Datastore, o.ds)
	set(&m.Machine, o.vm)
	if o.esx {
		return m
	}
	set(&m.Datacenter, o.dc)
	set(&m.Cluster, o.cluster)
	set(&m.ClusterHost, o.host)
	set(&m.Host, o.single)
	set(&m.Pool, o.pool)
	set(&m.Portgroup, o.pg)
	set(&m.Folder, o.folder)
	set(&m.App, o.app)
	set(&m.Pod, o.pod)
	set(&m.OpaqueNetwork, o.nsx)
	set(&m.PortgroupNSX, o.pgNsx)
	return m
}

func (o *options) tlsConfig() *tls.Config {
	if !o.tls {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			fail("cannot load the certificate: %v", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

func parseDelays(text string) (map[string]int, error) {
	delays := make(map[string]int)
	for _, part := range strings.Split(text, ",") {
		if part == "" {
			continue
		}
		name, ms, ok := strings.Cut(part, ":")
		n, err := strconv.Atoi(ms)
		if !ok || err != nil || n < 0 {
			return nil, fmt.Errorf("bad delay %q, wanted Name:ms", part)
		}
		delays[name] = n
	}
	return delays, nil
}

// The line that tells the tests where everything is.
type ready struct {
	URL        string `json:"url"`
	Control    string `json:"control"`
	Pid        int    `json:"pid"`
	APIVersion string `json:"api_version"`
	CertSHA256 string `json:"cert_sha256"`
	CertPEM    string `json:"cert_file,omitempty"`
	Release    string `json:"govmomi"`
}

func govmomiRelease() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/vmware/govmomi" {
				return dep.Version
			}
		}
	}
	return "unknown"
}

func main() {
	o := parseFlags()
	delays, err := parseDelays(o.methodDelay)
	if err != nil {
		fail("%v", err)
	}

	if o.traceFile != "" {
		f, err := os.Create(o.traceFile)
		if err != nil {
			fail("cannot write the trace: %v", err)
		}
		simulator.Trace = true
		simulator.TraceFile = f
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if o.stdinExit {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop <- syscall.SIGTERM
		}()
	}

	m := o.model()
	machines := m.Machine
	m.Machine = min(machines, 1)
	err = m.Create()
	if err == nil && machines > 1 {
		err = addMachines(m, machines)
	}
	if err != nil {
		m.Remove()
		fail("cannot make the model: %v", err)
	}
	defer m.Remove()

	m.Service.Listen = &url.URL{Host: o.listen}
	if o.username != "" {
		m.Service.Listen.User = url.UserPassword(o.username, o.password)
	}
	m.Service.TLS = o.tlsConfig()
	m.Service.RegisterEndpoints = true
	if m.Service.ServeMux == nil {
		m.Service.ServeMux = http.NewServeMux()
	}

	control, err := net.Listen("tcp", o.control)
	if err != nil {
		m.Remove()
		fail("cannot open the control port: %v", err)
	}

	shown := &screens{}
	m.Map().Handler = shown.handler
	m.Map().AddHandler(cancelable{})
	server := m.Service.NewServer()
	led := newLedger(o.delay, delays)
	server.Config.Handler = led.wrap(server.Config.Handler)
	go func() { _ = http.Serve(control, led.control(m, shown)) }()

	line := ready{
		URL:        server.URL.Scheme + "://" + server.URL.Host + server.URL.Path,
		Control:    "http://" + control.Addr().String(),
		Pid:        os.Getpid(),
		APIVersion: o.apiVersion,
		Release:    govmomiRelease(),
	}
	if o.tls {
		sum := sha256.Sum256(server.TLS.Certificates[0].Certificate[0])
		line.CertSHA256 = hex.EncodeToString(sum[:])
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))

	<-stop
	// server.Close waits for open calls, and a change feed may stay open for a minute: only the port is closed.
	_ = server.Listener.Close()
}
