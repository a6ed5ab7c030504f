# SPDX-License-Identifier: Apache-2.0
"""A failover cluster of some hosts: root/mscluster with nodes, groups, resources and shared volumes."""

from .inst import Inst, Ref
from .model import STATE_NAMES, Volume
from .schema import CLUSTER, cls

SOURCES = {}
VM_RESOURCE = "Virtual Machine"
CONFIGURATION = "Virtual Machine Configuration"
PATH = "C:\\ClusterStorage\\Volume1"


class Cluster:
    def __init__(self, estate, hosts):
        self.estate = estate
        self.name = f"{estate.prefix}-CLUSTER"
        self.hosts = hosts
        self.files = {}
        self.quorum = hosts[0]
        self.down = set()
        self.paused = set()
        self.size = 16 << 40
        self.free = 9 << 40
        self.classes = {}       # of roles, by name of the VM: AntiAffinityClassNames
        self.preferred = {}     # ... names of nodes
        self.possible = {}      # ... names of nodes; all of them where there is none

    def owner_changed(self, vm, host):
        host.note("cluster owner", vm.id, name=vm.name, node=host.name, cause="migration")

    def vms(self):
        for host in self.hosts:
            for vm in host.vms.values():
                if vm.clustered:
                    yield host, vm


def form(estate, hosts):
    """Half of the VMs of these hosts become roles of the cluster, with their disks on the shared volume."""
    made = Cluster(estate, hosts)
    estate.clusters.append(made)
    for host in hosts:
        host.cluster = made
        volume = Volume("", "CSV1", made.size, made.free, host.guid().lower())
        volume.cluster_name = PATH + "\\"
        host.volumes.append(volume)
        for number, vm in enumerate(list(host.vms.values())):
            if number % 2:
                continue
            vm.clustered = True
            share(host, vm)
    return made


def share(host, vm):
    moved = {}
    for owner in (vm, *vm.snapshots.values()):
        for setting in owner.res:
            if setting.cls.name == "Msvm_StorageAllocationSettingData" and setting.get("ResourceSubType", "").endswith("Hard Disk"):
                setting.over["HostResource"] = [_move(host, p, moved) for p in setting.get("HostResource") or []]
    vm.vssd.over["ConfigurationDataRoot"] = f"{PATH}\\{vm.name}"


def _move(host, path, moved):
    if path in moved:
        return moved[path]
    disk = host.drop_file(path)
    if disk is None:
        return path
    disk.path = moved[path] = path.replace("D:\\VMs", PATH, 1)
    if disk.parent:
        disk.parent = _move(host, disk.parent, moved) if host.files.get(host.norm(disk.parent)) else disk.parent.replace(
            "D:\\VMs", PATH, 1)
    host.add_file(disk)
    return disk.path


def source(name):
    def register(function):
        found = cls(name, CLUSTER)

        def answer(host):
            if host.cluster is None:
                return []
            rows = []
            for values in function(host.cluster):
                rows.append(Inst(found, _EMPTY, {k: v for k, v in values.items() if k.lower() in found.by_lower},
                                 values.get("obj")))
            return rows
        SOURCES[name] = answer
        return function
    return register


_EMPTY = {}


@source("MSCluster_Cluster")
def _cluster(cluster):
    return [{"Name": cluster.name, "Caption": cluster.name, "Fqdn": f"{cluster.name}.{cluster.hosts[0].domain}",
             "SharedVolumesRoot": "C:\\ClusterStorage", "QuorumType": "Majority", "ClusterFunctionalLevel": 11,
             "ClusterUpgradeVersion": 4, "DynamicQuorumEnabled": 1, "EnableSharedVolumes": 1, "DrainOnShutdown": 1,
             "MaxNumberOfNodes": 64, "QuorumPath": "C:\\ClusterStorage\\Witness", "ClusterEnforcedAntiAffinity": 0,
             "AutoBalancerMode": 2, "AutoBalancerLevel": 1}]


@source("MSCluster_Node")
def _nodes(cluster):
    return [{"Name": h.name, "Caption": h.name, "Id": str(n + 1), "State": 1 if h.name in cluster.down else
             2 if h.name in cluster.paused else 0, "NodeWeight": 1, "DynamicWeight": 1, "MajorVersion": 10, "MinorVersion": 0,
             "BuildNumber": int(h.build["number"]), "NodeDrainStatus": 0, "NodeInstanceID": h.uuid.lower(),
             "StatusInformation": 0, "obj": h} for n, h in enumerate(cluster.hosts)]


def online(vm):
    return 0 if vm.started is not None or STATE_NAMES.get(vm.state) == "saved" else 1


@source("MSCluster_ResourceGroup")
def _groups(cluster):
    rows = [{"Name": "Cluster Group", "Id": "00000000-0000-4000-8000-000000000001", "State": 0, "GroupType": 1,
             "OwnerNode": cluster.quorum.name, "IsCore": True, "Priority": 2000, "obj": None},
            {"Name": "Available Storage", "Id": "00000000-0000-4000-8000-000000000002", "State": 1, "GroupType": 2,
             "OwnerNode": cluster.quorum.name, "IsCore": True, "Priority": 2000, "obj": None}]
    for host, vm in cluster.vms():
        rows.append({"Name": vm.name, "Caption": vm.name, "Id": vm.id.lower(), "State": online(vm), "GroupType": 111,
                     "OwnerNode": host.name, "IsCore": False, "Priority": 2000, "AutoFailbackType": 0,
                     "FailoverThreshold": 4294967295, "PersistentState": True, "StatusInformation": 0, "AntiAffinityClassNames": cluster.classes.get(vm.name), "obj": vm})
    return rows


PRIVATE = cls("MSCluster_Property_Resource", CLUSTER)


@source("MSCluster_Resource")
def _resources(cluster):
    rows = [{"Name": "Cluster Name", "Id": "00000000-0000-4000-8000-000000000011", "Type": "Network Name", "State": 2,
             "OwnerNode": cluster.quorum.name, "OwnerGroup": "Cluster Group", "CoreResource": True, "ResourceClass": 0},
            {"Name": "Cluster Disk 1", "Id": "00000000-0000-4000-8000-000000000012", "Type": "Physical Disk", "State": 2,
             "OwnerNode": cluster.quorum.name, "OwnerGroup": "Clustered Shared Volume", "CoreResource": False,
             "ResourceClass": 1, "IsClusterSharedVolume": True}]
    for host, vm in cluster.vms():
        common = {"OwnerNode": host.name, "OwnerGroup": vm.name, "CoreResource": False, "ResourceClass": 0,
                  "IsClusterSharedVolume": False, "PersistentState": True, "obj": vm}
        private = Inst(PRIVATE, _EMPTY, {"VmID": vm.id, "VmState": vm.state, "OfflineAction": 1,
                                         "VmStoreRootPath": vm.vssd.get("ConfigurationDataRoot")})
        rows.append({**common, "Name": f"Virtual Machine {vm.name}", "Id": vm.id.lower(), "Type": VM_RESOURCE,
                     "State": 2 if online(vm) == 0 else 3, "PrivateProperties": private})
        rows.append({**common, "Name": f"Virtual Machine Configuration {vm.name}", "Id": vm.id.lower()[:-1] + "c",
                     "Type": CONFIGURATION, "State": 2, "PrivateProperties": private})
    return rows


@source("MSCluster_ClusterSharedVolume")
def _volumes(cluster):
    return [{"Name": PATH, "VolumeName": f"\\\\?\\Volume{{{cluster.quorum.volumes[-1].guid}}}\\", "FaultState": 0,
             "MaintenanceMode": False, "OwnerNode": cluster.quorum.name}]


@source("MSCluster_DiskPartition")
def _partitions(cluster):
    return [{"Path": PATH, "FileSystem": "CSVFS", "FreeSpace": cluster.free >> 20, "TotalSize": cluster.size >> 20,
             "VolumeLabel": "CSV1", "VolumeGuid": cluster.quorum.volumes[-1].guid, "PartitionNumber": 2, "Flags": 0,
             "MountPoints": []}]


@source("MSCluster_Disk")
def _disks(cluster):
    return [{"Id": "00000000-0000-4000-8000-000000000013", "Name": "Cluster Disk 1", "Signature": 305419896,
             "Size": cluster.size >> 20, "Number": 2}]


@source("MSCluster_Network")
def _networks(cluster):
    return [{"Name": "Cluster Network 1", "ID": "00000000-0000-4000-8000-000000000014", "Address": "10.0.0.0",
             "AddressMask": "255.255.255.0", "Role": 3, "State": 3, "Metric": 30000, "AutoMetric": True}]


def _ref(name, key, value):
    return Ref(cls(name, CLUSTER), {key: value})


def associations(host, wanted):
    cluster = host.cluster
    if cluster is None:
        return []
    node = {h.name: _ref("MSCluster_Node", "Name", h.name) for h in cluster.hosts}
    rows = []
    if wanted.name == "MSCluster_NodeToActiveResource":
        rows = [(node[r["OwnerNode"]], _ref("MSCluster_Resource", "Name", r["Name"])) for r in _resources(cluster)]
    elif wanted.name == "MSCluster_NodeToActiveGroup":
        rows = [(node[r["OwnerNode"]], _ref("MSCluster_ResourceGroup", "Name", r["Name"])) for r in _groups(cluster)]
    elif wanted.name == "MSCluster_ResourceGroupToResource":
        rows = [(_ref("MSCluster_ResourceGroup", "Name", r["OwnerGroup"]), _ref("MSCluster_Resource", "Name", r["Name"]))
                for r in _resources(cluster)]
    elif wanted.name == "MSCluster_ResourceGroupToPreferredNode":
        rows = [(_ref("MSCluster_ResourceGroup", "Name", vm.name), node[name])
                for _, vm in cluster.vms() for name in cluster.preferred.get(vm.name, ())]
    elif wanted.name == "MSCluster_ResourceToPossibleOwner":
        rows = [(_ref("MSCluster_Resource", "Name", r["Name"]), node[name]) for r in _resources(cluster)
                for name in cluster.possible.get(r["OwnerGroup"], node)]
    elif wanted.name == "MSCluster_ResourceToDisk":
        rows = [(_ref("MSCluster_Resource", "Name", "Cluster Disk 1"), _ref("MSCluster_Disk", "Signature", "305419896"))]
    elif wanted.name == "MSCluster_ClusterToNode":
        rows = [(_ref("MSCluster_Cluster", "Name", cluster.name), node[h.name]) for h in cluster.hosts]
    left, right = wanted.keys
    return [Inst(wanted, _EMPTY, {left: a, right: b}) for a, b in rows]
