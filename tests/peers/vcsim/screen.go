// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// What the simulator lacks of a VM's screen: tickets, pictures, keys. The control port shows what was typed:
//
//	GET /keys     [{"vm": "vm-12", "usage": 0x04, "ctrl": false, "shift": true, "alt": false, "gui": false}]
type typed struct {
	VM    string `json:"vm"`
	Usage int32  `json:"usage"`
	Ctrl  bool   `json:"ctrl"`
	Shift bool   `json:"shift"`
	Alt   bool   `json:"alt"`
	Gui   bool   `json:"gui"`
}

type screens struct {
	mu    sync.Mutex
	made  int
	typed []typed
}

// screenVM is a VM with the methods that the simulator's own lacks.
type screenVM struct {
	*simulator.VirtualMachine
	all *screens
}

// handler puts it in the way of these methods alone.
func (s *screens) handler(ctx *simulator.Context, method *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	switch method.Name {
	case "AcquireTicket", "CreateScreenshot_Task", "PutUsbScanCodes":
	default:
		return nil, nil
	}
	vm, ok := ctx.Map.Get(method.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, nil
	}
	// The simulator looks again for what is called so, and would find its own VM.
	method.This.Type = "VirtualMachineScreen"
	return &screenVM{vm, s}, nil
}

func (vm *screenVM) notRunning() types.BaseMethodFault {
	if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		return nil
	}
	return &types.InvalidPowerState{
		RequestedState: types.VirtualMachinePowerStatePoweredOn, ExistingState: vm.Runtime.PowerState,
	}
}

func (vm *screenVM) AcquireTicket(req *types.AcquireTicket) soap.HasFault {
	body := &methods.AcquireTicketBody{}
	if fault := vm.notRunning(); fault != nil {
		body.Fault_ = simulator.Fault("", fault)
		return body
	}
	if req.TicketType != string(types.VirtualMachineTicketTypeWebmks) {
		body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: "ticketType"})
		return body
	}
	body.Res = &types.AcquireTicketResponse{Returnval: types.VirtualMachineTicket{
		Ticket: "52-ticket-of-" + vm.Self.Value, Host: "esx.example", Port: 443, CfgFile: vm.Config.Files.VmPathName,
		SslThumbprint: "AA:BB",
	}}
	return body
}

func picture(number int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for y := range 48 {
		for x := range 64 {
			img.Set(x, y, color.RGBA{uint8(x * 4), uint8(y * 5), uint8(number), 255})
		}
	}
	var out bytes.Buffer
	_ = png.Encode(&out, img)
	return out.Bytes()
}

func (vm *screenVM) CreateScreenshotTask(ctx *simulator.Context, req *types.CreateScreenshot_Task) soap.HasFault {
	task := simulator.CreateTask(vm.VirtualMachine, "createScreenshot", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		if fault := vm.notRunning(); fault != nil {
			return nil, fault
		}
		store := ctx.Map.Get(vm.Datastore[0]).(*simulator.Datastore)
		vm.all.mu.Lock()
		vm.all.made++
		number := vm.all.made
		vm.all.mu.Unlock()
		name := fmt.Sprintf("screen of %s-%d.png", vm.Self.Value, number)
		folder := store.Info.GetDatastoreInfo().Url
		if err := os.WriteFile(filepath.Join(folder, name), picture(number), 0o600); err != nil {
			return nil, &types.CannotCreateFile{FileFault: types.FileFault{File: name}}
		}
		return fmt.Sprintf("[%s] %s", store.Name, name), nil
	})
	return &methods.CreateScreenshot_TaskBody{Res: &types.CreateScreenshot_TaskResponse{Returnval: task.Run(ctx)}}
}

func (vm *screenVM) PutUsbScanCodes(req *types.PutUsbScanCodes) soap.HasFault {
	body := &methods.PutUsbScanCodesBody{}
	if fault := vm.notRunning(); fault != nil {
		body.Fault_ = simulator.Fault("", fault)
		return body
	}
	is := func(flag *bool) bool { return flag != nil && *flag }
	vm.all.mu.Lock()
	defer vm.all.mu.Unlock()
	for _, event := range req.Spec.KeyEvents {
		if event.UsbHidCode&0xffff != 7 {
			body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: "usbHidCode"})
			return body
		}
		key := typed{VM: vm.Self.Value, Usage: event.UsbHidCode >> 16}
		if m := event.Modifiers; m != nil {
			key.Ctrl, key.Shift, key.Alt, key.Gui = is(m.LeftControl), is(m.LeftShift), is(m.LeftAlt), is(m.LeftGui)
		}
		vm.all.typed = append(vm.all.typed, key)
	}
	body.Res = &types.PutUsbScanCodesResponse{Returnval: int32(len(req.Spec.KeyEvents))}
	return body
}

func (s *screens) keys(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, append([]typed{}, s.typed...))
}
