// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// The model makes VMs one after the other and waits for two tasks each; a task is noticed after 20 ms at best. So the
// model makes one VM in each place, and the rest follow side by side in the same shape.
const makers = 32

const gib = 1 << 30

// place is where VMs go: beside the first one that the model made.
type place struct {
	prefix string // "DC0_H0_VM"
	folder *object.Folder
	pool   *object.ResourcePool
	host   *object.HostSystem // nil in a cluster: the simulator chooses
	nic    types.BaseVirtualDeviceBackingInfo
}

func places(ctx context.Context, c *vim25.Client) ([]place, error) {
	v, err := view.NewManager(c).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		return nil, err
	}
	defer func() { _ = v.Destroy(ctx) }()
	var first []mo.VirtualMachine
	props := []string{"name", "parent", "resourcePool", "runtime", "config.hardware.device"}
	if err := v.Retrieve(ctx, []string{"VirtualMachine"}, props, &first); err != nil {
		return nil, err
	}

	var found []place
	for _, vm := range first {
		if !strings.HasSuffix(vm.Name, "_VM0") || vm.Parent == nil || vm.ResourcePool == nil {
			continue
		}
		p := place{
			prefix: strings.TrimSuffix(vm.Name, "0"),
			folder: object.NewFolder(c, *vm.Parent),
			pool:   object.NewResourcePool(c, *vm.ResourcePool),
		}
		var pool mo.ResourcePool
		if err := property.DefaultCollector(c).RetrieveOne(ctx, *vm.ResourcePool, []string{"owner"}, &pool); err != nil {
			return nil, err
		}
		if pool.Owner.Type == "ComputeResource" && vm.Runtime.Host != nil {
			p.host = object.NewHostSystem(c, *vm.Runtime.Host)
		}
		for _, device := range vm.Config.Hardware.Device {
			if card, ok := device.(types.BaseVirtualEthernetCard); ok {
				p.nic = card.GetVirtualEthernetCard().Backing
			}
		}
		found = append(found, p)
	}
	return found, nil
}

func (p *place) spec(number int) (types.VirtualMachineConfigSpec, error) {
	name := fmt.Sprintf("%s%d", p.prefix, number)
	spec := types.VirtualMachineConfigSpec{
		Name:    name,
		GuestId: string(types.VirtualMachineGuestOsIdentifierOtherGuest),
		Files:   &types.VirtualMachineFileInfo{VmPathName: "[LocalDS_0]"},
	}
	var devices object.VirtualDeviceList
	scsi, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return spec, err
	}
	ide, err := devices.CreateIDEController()
	if err != nil {
		return spec, err
	}
	cdrom, err := devices.CreateCdrom(ide.(*types.VirtualIDEController))
	if err != nil {
		return spec, err
	}
	file := "[LocalDS_0] " + path.Join(name, "disk1.vmdk")
	disk := devices.CreateDisk(scsi.(types.BaseVirtualController), types.ManagedObjectReference{}, file)
	disk.CapacityInKB = 10 * gib / 1024
	devices = append(devices, scsi, cdrom, disk)
	if p.nic != nil {
		card := &types.VirtualE1000{}
		card.Key = -1
		card.Backing = p.nic
		card.AddressType = string(types.VirtualEthernetCardMacTypeGenerated)
		devices = append(devices, card)
	}
	spec.DeviceChange, err = devices.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	return spec, err
}

// wait looks at the task in the simulator itself: a property filter per task costs three times the work of the task.
func wait(m *simulator.Model, task *object.Task) (types.AnyType, error) {
	t, ok := m.Map().Get(task.Reference()).(*simulator.Task)
	if !ok {
		return nil, fmt.Errorf("no task %s", task.Reference())
	}
	t.Wait()
	if t.Info.Error != nil {
		return nil, fmt.Errorf("%s: %s", t.Info.DescriptionId, t.Info.Error.LocalizedMessage)
	}
	return t.Info.Result, nil
}

func (p *place) add(m *simulator.Model, c *vim25.Client, number int) error {
	ctx := m.Service.Context
	spec, err := p.spec(number)
	if err != nil {
		return err
	}
	task, err := p.folder.CreateVM(ctx, spec, p.pool, p.host)
	if err != nil {
		return err
	}
	result, err := wait(m, task)
	if err != nil || !m.Autostart {
		return err
	}
	vm := object.NewVirtualMachine(c, result.(types.ManagedObjectReference))
	if task, err = vm.PowerOn(ctx); err != nil {
		return err
	}
	_, err = wait(m, task)
	return err
}

// addMachines makes VMs 1 to count - 1 in each place where the model has made VM 0.
func addMachines(m *simulator.Model, count int) error {
	ctx := m.Service.Context
	c, err := vim25.NewClient(ctx, m.Service)
	if err != nil {
		return err
	}
	where, err := places(ctx, c)
	if err != nil {
		return err
	}

	type job struct {
		at     *place
		number int
	}
	jobs := make(chan job)
	errs := make(chan error, makers)
	var group sync.WaitGroup
	for range makers {
		group.Go(func() {
			var first error
			for j := range jobs {
				if first == nil {
					first = j.at.add(m, c, j.number)
				}
			}
			errs <- first
		})
	}
	for number := 1; number < count; number++ {
		for i := range where {
			jobs <- job{&where[i], number}
		}
	}
	close(jobs)
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
