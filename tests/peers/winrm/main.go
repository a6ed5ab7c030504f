// SPDX-License-Identifier: Apache-2.0

// A Go client that others wrote (github.com/masterzen/winrm) against a WinRM service: runs one command line and prints
// what came back as one line of JSON.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/masterzen/winrm"
)

func main() {
	port := flag.Int("port", 0, "port of the service")
	https := flag.Bool("https", true, "TLS")
	user := flag.String("user", "", "account")
	auth := flag.String("auth", "basic", "basic or ntlm")
	powershell := flag.Bool("powershell", false, "the command is a PowerShell script")
	flag.Parse()

	answer, err := run(*port, *https, *user, os.Getenv("WINRM_PASSWORD"), *auth, *powershell, strings.Join(flag.Args(), " "))
	if err != nil {
		answer = map[string]any{"error": err.Error()}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(text))
}

func run(port int, https bool, user, password, auth string, powershell bool, line string) (map[string]any, error) {
	endpoint := winrm.NewEndpoint("127.0.0.1", port, https, true, nil, nil, nil, 30*time.Second)
	parameters := winrm.NewParameters("PT60S", "en-US", 153600)
	if auth == "ntlm" {
		parameters.TransportDecorator = func() winrm.Transporter { return &winrm.ClientNTLM{} }
	}
	client, err := winrm.NewClientWithParameters(endpoint, user, password, parameters)
	if err != nil {
		return nil, err
	}
	var out, problems string
	var code int
	if powershell {
		out, problems, code, err = client.RunPSWithString(line, "")
	} else {
		out, problems, code, err = client.RunWithString(line, "")
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"stdout": out, "stderr": problems, "code": code}, nil
}
