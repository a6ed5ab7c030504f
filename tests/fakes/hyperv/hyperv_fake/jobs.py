# SPDX-License-Identifier: Apache-2.0
"""Jobs of every class: progress by time, the effect at the end, errors, cancelling, removal after a while."""

from . import cimtime, cimxml
from .inst import Inst, Ref
from .schema import cls

NEW, STARTING, RUNNING, SUSPENDED, SHUTTING, COMPLETED, TERMINATED, KILLED, EXCEPTION, SERVICE = range(2, 12)
WARNINGS = 32768

CLASSES = {name: cls(name) for name in ("Msvm_ConcreteJob", "Msvm_StorageJob", "Msvm_MigrationJob",
                                        "Msvm_CopyFileToGuestJob")}
ERROR_CLASS = cls("Msvm_Error")
BASE = {name: {**found.texts, "HealthState": 5, "OperationalStatus": [2], "StatusDescriptions": ["OK"],
               "CommunicationStatus": None, "JobRunTimes": 1, "LocalOrUtcTime": 2, "Notify": "", "Priority": 0,
               "DeleteOnCompletion": False, "RecoveryAction": 1,
               "Owner": "NT AUTHORITY\\SYSTEM"} for name, found in CLASSES.items()}

MESSAGES = {
    32768: "The operation failed.", 32769: "General access denied error.", 32770: "The operation is not supported.",
    32771: "The status is unknown.", 32772: "The operation timed out.",
    32773: "The parameter is incorrect. One or more arguments are invalid.",
    32774: "The system is in use.",
    32775: "The operation cannot be performed while the object is in its current state.",
    32776: "Incorrect data type.", 32777: "The system is not available.", 32778: "Not enough memory resources are available.",
    32779: "The system cannot find the file specified.",
}


# JobType of the jobs that methods start.
TYPES = {
    "DefineSystem": 1, "DefinePlannedSystem": 1, "ModifySystemSettings": 2, "DestroySystem": 3, "ModifyServiceSettings": 4,
    "AddResourceSettings": 30, "ModifyResourceSettings": 31, "RemoveResourceSettings": 32, "ImportSystemDefinition": 61,
    "ImportSnapshotDefinitions": 61, "ExportSystemDefinition": 62, "CreateSnapshot": 70, "ApplySnapshot": 71,
    "DestroySnapshot": 72, "DestroySnapshotTree": 72, "ClearSnapshotState": 73, "CreateReplicationRelationship": 91,
    "ModifyReplicationSettings": 92, "RemoveReplicationRelationship": 93, "StartReplication": 94, "InitiateFailover": 97,
    "RequestReplicationStateChange": 96, "RevertFailover": 98, "CommitFailover": 99, "ReverseReplicationRelationship": 104,
    "Resynchronize": 107, "AddFeatureSettings": 133, "ModifyFeatureSettings": 134, "RemoveFeatureSettings": 135,
    "ValidatePlannedSystem": 140, "RealizePlannedSystem": 141, "CopyFilesToGuest": 180, "AddKvpItems": 2,
    "ModifyKvpItems": 2, "RemoveKvpItems": 2, "SetGuestNetworkAdapterConfiguration": 2, "ModifySecuritySettings": 2,
    "UpgradeSystemVersion": 2,
}
SWITCH_TYPES = {"DefineSystem": 130, "ModifySystemSettings": 131, "DestroySystem": 132, "AddResourceSettings": 133,
                "ModifyResourceSettings": 134, "RemoveResourceSettings": 135}
STORAGE_TYPES = {"CreateVirtualHardDisk": 1, "CreateVirtualFloppyDisk": 2, "CompactVirtualHardDisk": 3,
                 "ResizeVirtualHardDisk": 4, "MergeVirtualHardDisk": 5, "ConvertVirtualHardDisk": 6,
                 "AttachVirtualHardDisk": 7, "GetVirtualHardDiskSettingData": 8, "GetVirtualHardDiskState": 8,
                 "ValidateVirtualHardDisk": 9}


def type_of(cause: str) -> int:
    """The JobType of what Class.Method starts; 0 is unknown."""
    cls_name, _, name = cause.partition(".")
    if cls_name == "Msvm_ImageManagementService":
        return STORAGE_TYPES.get(name, 0)
    if cls_name == "Msvm_VirtualEthernetSwitchManagementService" and name in SWITCH_TYPES:
        return SWITCH_TYPES[name]
    return TYPES.get(name, 0)


# What the console shows for a job.
SHOWN = {1: "Creating Virtual Machine", 2: "Modifying Virtual Machine Settings", 3: "Deleting Virtual Machine",
         12: "Starting Virtual Machine", 13: "Turning Off Virtual Machine", 14: "Saving Virtual Machine",
         15: "Restoring Virtual Machine", 16: "Shutting Down Virtual Machine", 26: "Pausing Virtual Machine",
         27: "Resuming Virtual Machine", 28: "Resetting Virtual Machine", 29: "Restarting Virtual Machine",
         30: "Adding Virtual Machine Resources", 31: "Modifying Virtual Machine Resources",
         32: "Removing Virtual Machine Resources", 61: "Importing Virtual Machine", 62: "Exporting Virtual Machine",
         70: "Creating Checkpoint", 71: "Applying Checkpoint", 72: "Deleting Checkpoint", 305: "Moving Virtual Machine",
         306: "Moving Virtual Machine and Storage", 307: "Moving Storage"}


class Job:
    __slots__ = ("host", "id", "kind", "type", "begun", "seconds", "state", "code", "text", "done", "failed", "affected",
                 "cancellable", "handle", "ended", "owner", "name", "extra", "errors", "percent_cap", "created", "outcome")

    @property
    def running(self):
        return self.state in (NEW, STARTING, RUNNING, SUSPENDED)

    def ref(self):
        return Ref(CLASSES[self.kind], {"InstanceID": self.id})

    def percent(self) -> int:
        if self.state in (COMPLETED, WARNINGS):
            return 100
        if self.state in (EXCEPTION, TERMINATED, KILLED):
            return min(self.percent_cap, 99)
        if self.seconds <= 0:
            return 0
        return min(99, int(100 * (cimtime.now() - self.begun) / self.seconds))

    def inst(self) -> Inst:
        kind = CLASSES[self.kind]
        now = cimtime.now()
        shown = SHOWN.get(self.type) or self.name.rpartition(".")[2]
        over = {"InstanceID": self.id, "Name": shown, "ElementName": shown, "Caption": shown, "Description": shown, "JobState": self.state, "JobType": self.type,
                "PercentComplete": self.percent(), "StartTime": cimtime.cim(self.begun),
                "TimeSubmitted": cimtime.cim(self.begun), "ErrorCode": self.code, "Cancellable": self.cancellable,
                "ElapsedTime": cimtime.interval((self.ended or now) - self.begun),
                "TimeOfLastStateChange": cimtime.cim(self.ended or self.begun),
                "TimeBeforeRemoval": cimtime.interval(self.host.behaviour.job_retention),
                "JobStatus": "OK" if self.code == 0 else "Error", "Status": "OK" if self.code == 0 else "Error"}
        if self.code:
            over["ErrorDescription"] = self.text
            over["ErrorSummaryDescription"] = self.text
            over["OperationalStatus"] = [6]
            over["StatusDescriptions"] = [self.text]
        else:
            over["ErrorDescription"] = over["ErrorSummaryDescription"] = ""
        over.update(self.extra)
        known = kind.by_lower
        return Inst(kind, BASE[self.kind], {k: v for k, v in over.items() if k.lower() in known}, self)

    def error_instances(self):
        """Msvm_Error texts of GetErrorEx."""
        if not self.code:
            return []
        return [cimxml.write(Inst(ERROR_CLASS, None, {
            "ErrorType": 4, "OwningEntity": "Hyper-V", "MessageID": f"{14000 + self.code - 32768}", "Message": text,
            "MessageArguments": [], "PerceivedSeverity": 5, "ProbableCause": 1,
            "ProbableCauseDescription": self.text, "RecommendedActions": [], "ErrorSource": "",
            "ErrorSourceFormat": 0, "CIMStatusCode": self.code}), self.host.name) for text in self.errors or [self.text]]


class Jobs:
    """Starts and ends the jobs of an estate; speed divides all durations."""

    def __init__(self, estate):
        self.estate = estate

    def start(self, host, job_type, seconds, done, affected=(), failed=None, owner=None, name="", cancellable=True,
              kind="Msvm_ConcreteJob", error=None, extra=None):
        """done() is the effect at the end; it may raise JobError. failed() undoes what start did."""
        job = Job()
        job.host = host
        job.id = host.guid()
        job.kind = kind
        job.type = job_type
        job.begun = cimtime.now()
        job.state = RUNNING
        job.code = 0
        job.text = ""
        job.errors = []
        job.done = done
        job.failed = failed
        job.affected = list(affected)
        job.extra = extra or {}
        job.cancellable = cancellable
        job.ended = None
        job.owner = owner
        job.name = name
        job.percent_cap = 0
        job.handle = None
        job.created = []
        job.outcome = None
        injected = self.estate.faults.job(host, name, kind)
        if host.behaviour.job_seconds is not None:
            seconds = host.behaviour.job_seconds
        if injected and injected.seconds is not None:
            seconds = injected.seconds
        job.seconds = seconds / self.estate.speed
        host.jobs[job.id] = job
        host.note("job", job.id, job=name, type=job_type, cause="start")
        self.estate.tell(host, "created", job.inst)
        error = (injected.error() if injected else None) or error
        at = job.seconds * (injected.at if injected and injected.at is not None else 1.0)
        if host.behaviour.instant and error is None and not (injected and injected.seconds is not None):
            self._end(job, None, None)
            return job
        if injected and injected.no_effect:
            job.done = failed or nothing
        if injected and injected.state is not None:
            job.outcome = (injected.state, injected.code or 0, injected.message)
        vanish = injected is not None and injected.vanish
        job.handle = self.estate.later(at, self._end, job, error, vanish)
        return job

    def _end(self, job, error, vanish):
        job.handle = None
        if not job.running:
            return
        if error is None:
            try:
                job.done()
            except cimxml.JobError as trouble:
                error = (trouble.code, trouble.message)
        if error is not None:
            job.percent_cap = job.percent()
            job.code = error[0]
            job.text = error[1] or MESSAGES.get(error[0], "The operation failed.")
            job.errors = list(error[2]) if len(error) > 2 and error[2] else [job.text]
            job.state = EXCEPTION
            if job.failed:
                job.failed()
        elif job.outcome:
            job.state, job.code, job.text = job.outcome
            job.errors = [job.text] if job.text else []
        else:
            job.state = COMPLETED
        if job.state == EXCEPTION:
            job.host.log_event(12000 + job.type, 2, job.text)
        self._ended(job)
        if vanish:
            job.host.jobs.pop(job.id, None)

    def _ended(self, job):
        job.ended = cimtime.now()
        job.host.note("job", job.id, job=job.name, type=job.type, state=job.state, code=job.code, cause="end")
        self.estate.tell(job.host, "modified", job.inst)
        self.estate.later(job.host.behaviour.job_retention, job.host.jobs.pop, job.id, None)

    def cancel(self, job, killed=False):
        """RequestStateChange 4 or 5 and KillJob: True when it was running and allows it."""
        if not job.running or not job.cancellable:
            return False
        if job.handle:
            job.handle.cancel()
            job.handle = None
        job.percent_cap = job.percent()
        job.state = KILLED if killed else TERMINATED
        job.code = 32768
        job.text = "The operation was cancelled."
        job.errors = [job.text]
        if job.failed:
            job.failed()
        self._ended(job)
        return True


def nothing():
    """The effect of a job that has none."""


def ended_job(host, error, name, kind="Msvm_ConcreteJob"):
    """A job that ends with an error that was found before anything was touched."""
    return host.estate.jobs.start(host, type_of(name), 0.05, nothing, name=name, kind=kind, error=error)
