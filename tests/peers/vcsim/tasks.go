// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// cancelable lets long tasks be canceled, as a vCenter does; the simulator knows CancelTask, but offers it for none, and
// does what was canceled all the same when its delay is over.
type cancelable struct{}

func (cancelable) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "Cancelable", Value: "cancelable"}
}

func (cancelable) PutObject(_ *simulator.Context, obj mo.Reference) {
	if task, ok := obj.(*simulator.Task); ok {
		switch task.Info.Name {
		case "CreateVm", "CloneVm", "RelocateVm":
			task.Info.Cancelable = true
			execute := task.Execute
			task.Execute = func(t *simulator.Task) (types.AnyType, types.BaseMethodFault) {
				if t.Info.Cancelled {
					return nil, new(types.RequestCanceled)
				}
				return execute(t)
			}
		}
	}
}

func (cancelable) UpdateObject(*simulator.Context, mo.Reference, []types.PropertyChange) {}

func (cancelable) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}
