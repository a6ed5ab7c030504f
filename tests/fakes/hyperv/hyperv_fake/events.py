# SPDX-License-Identifier: Apache-2.0
"""Eventing in pull mode: WQL event queries on the virtualization namespace, and the event log."""

import asyncio
from collections import deque

from . import cimtime, wire, wql
from .enumeration import Context, cannot_process, context_of, schema_error, _number, _plain
from .inst import Inst, clean, instance_xml
from .request import not_found
from .schema import NAMESPACES, V2
from .wire import CODES, E, Fault, N, W

PULL_MODE = W.replace("wsman.xsd", "wsman") + "/Pull"
EVENT_LOG = "http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog"
LIMIT = 5000
_CLASSES = {"created": "__InstanceCreationEvent", "deleted": "__InstanceDeletionEvent",
            "modified": "__InstanceModificationEvent"}


class Subscription:
    def __init__(self, host, query, log):
        self.id = wire.new_id()
        self.host = host
        self.query = query
        self.log = log
        self.queue = deque(maxlen=LIMIT)
        self.context = None
        self.expires = None
        self.arrived = asyncio.Event()
        self.wildcard = None

    def offer(self, event):
        """An event instance: kept when the query wants it, delivered after the polling interval of WITHIN."""
        if self.log:
            return
        try:
            if not event.cls.isa(self.query.cls) or not wql.matches(self.query.test, event):
                return
        except wql.BadQuery:
            return
        delay = (self.query.within or 0) / self.host.estate.speed
        if delay:
            self.host.estate.later(delay, self._put, event)
        else:
            self._put(event)

    def _put(self, event):
        self.queue.append(event)
        self.arrived.set()


def tell(host, what, target, previous):
    """A change of an instance, for everybody who subscribed."""
    cls = NAMESPACES[V2].get(_CLASSES[what])
    over = {"TargetInstance": target, "TIME_CREATED": int((cimtime.now() + 11644473600) * 10_000_000)}
    if previous is not None and what == "modified":
        over["PreviousInstance"] = previous
    event = Inst(cls, None, over)
    for subscription in list(host.subscriptions.values()):
        subscription.offer(event)


def tell_log(host, row):
    """A line of the event log, for those who follow it."""
    for subscription in list(host.subscriptions.values()):
        if subscription.log:
            subscription.queue.append((len(host.events) - 1, row))
            subscription.arrived.set()


def act(request):
    name = request.action.rsplit("/", 1)[-1]
    if name == "Subscribe":
        return subscribe(request)
    found = _manager(request)
    if name == "Unsubscribe":
        drop(found)
        return ""
    if name == "Renew":
        node = request.content.child(E, "Expires") if request.content is not None else None
        found.expires = _expires(node)
        return f"<e:RenewResponse><e:Expires>{node.text if node is not None else 'PT3600S'}</e:Expires></e:RenewResponse>"
    raise Fault("a:ActionNotSupported", "ERROR_WSMAN_ACTION_NOT_SUPPORTED", f"{name} is not supported.")


def drop(subscription):
    subscription.host.subscriptions.pop(subscription.id, None)
    subscription.host.contexts.pop(subscription.context.id, None)
    subscription.arrived.set()


def _manager(request):
    header = request.header.child(E, "Identifier")
    wanted = header.text.strip() if header is not None else next((v for k, v in request.selectors), "")
    found = request.host.subscriptions.get(str(wanted))
    if found is None:
        raise Fault("e:InvalidMessage", "ERROR_WSMAN_SUBSCRIPTION_CLOSED", "There is no such subscription.")
    return found


def _expires(node):
    if node is None or not node.text.strip():
        return None
    seconds = cimtime.parse_duration(node.text)
    if seconds is None or seconds <= 0:
        raise Fault("e:InvalidExpirationTime", "ERROR_WSMAN_EVENTING_INVALID_EXPIRATION_TIME",
                    "The expiration time is not valid.")
    return cimtime.now() + seconds


def subscribe(request):
    host = request.host
    node = request.content
    if node is None or node.uri != E or node.local != "Subscribe":
        raise schema_error("e:Subscribe is expected.")
    delivery = node.child(E, "Delivery")
    mode = delivery.attr("Mode") if delivery is not None else None
    if mode != PULL_MODE:
        raise Fault("e:DeliveryModeRequestedUnavailable", "ERROR_WSMAN_EVENTING_DELIVERY_MODE_REQUESTED_UNAVAILABLE",
                    "Only pull delivery is supported here.")
    if not host.behaviour.subscriptions:
        raise Fault("w:AccessDenied", CODES["WBEM_E_ACCESS_DENIED"], "Access is denied.")
    log = request.uri.lower().startswith(EVENT_LOG.lower())
    filter_ = node.child(W, "Filter")
    query = None
    if log:
        if node.child(W, "SendBookmarks") is None and filter_ is None:
            raise cannot_process("A query list is expected.")
    else:
        if not request.wildcard:
            raise cannot_process("The class name must be '*' (star).", "ERROR_WSMAN_INVALID_URI_WMI_ENUM_WQL")
        if filter_ is None or (filter_.attr("Dialect") or "").lower() != wire.WQL.lower():
            raise Fault("e:FilteringRequestedUnavailable", "ERROR_WSMAN_EVENTING_FILTERING_REQUESTED_UNAVAILABLE",
                        "A WQL filter is expected.")
        try:
            query = wql.parse(filter_.text)
        except wql.BadQuery as error:
            raise cannot_process(str(error)) from None
        if NAMESPACES[V2].get(query.cls) is None and query.cls not in ("__InstanceOperationEvent", "__Event"):
            raise not_found("WBEM_E_INVALID_CLASS")
        if query.kind == "event" and query.within is None:
            # These classes have no event provider: they are polled, and that needs an interval.
            raise Fault("n:CannotProcessFilter", CODES["WBEM_E_MISSING_GROUP_WITHIN"], "WITHIN is missing.")
    made = Subscription(host, query, log)
    made.expires = _expires(node.child(E, "Expires"))
    made.heartbeat = _heartbeat(node)
    context = Context()
    context.id = wire.new_id()
    context.items = made.queue
    context.at = 0
    context.uri = request.uri.lower()
    context.selectors = _plain(request.selectors)
    context.mode, context.view, context.columns = "EnumerateObject", None, None
    context.expires = made.expires
    context.subscription = made
    context.pulling = False
    made.context = context
    host.contexts[context.id] = context
    host.subscriptions[made.id] = made
    if log:
        for number, row in enumerate(host.events):
            made.queue.append((number, row))
    expires = node.child(E, "Expires")
    shown = clean(expires.text) if expires is not None else "PT3600.000S"
    return (f"<e:SubscribeResponse><e:SubscriptionManager><a:Address>{clean(request.to)}</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{clean(request.uri)}</w:ResourceURI><e:Identifier>{made.id}</e:Identifier>"
            f"</a:ReferenceParameters></e:SubscriptionManager><e:Expires>{shown}</e:Expires>"
            f"<n:EnumerationContext>{context.id}</n:EnumerationContext></e:SubscribeResponse>")


def _heartbeat(node):
    delivery = node.child(E, "Delivery")
    holder = delivery.child(W, "Heartbeats") or node.child(W, "Heartbeats")
    return cimtime.parse_duration(holder.text) if holder is not None else None


async def pull(request, context):
    """A long poll: events, or the TimedOut fault when there is none in time; the context stays."""
    node = request.content
    context_of(request, node)
    subscription = context.subscription
    if context.pulling:
        raise Fault("w:Concurrency", "ERROR_WSMAN_PULL_IN_PROGRESS", "A pull is under way.")
    most = _number(node.child(N, "MaxElements"), 1)
    holder = node.child(N, "MaxTime")
    limit = request.timeout
    if holder is not None:
        limit = min(limit, cimtime.parse_duration(holder.text) or limit)
    context.pulling = True
    try:
        if not subscription.queue:
            subscription.arrived.clear()
            try:
                await asyncio.wait_for(subscription.arrived.wait(), limit)
            except asyncio.TimeoutError:
                from .service import timed_out
                raise timed_out() from None
        if subscription.id not in request.host.subscriptions:
            raise Fault("n:InvalidEnumerationContext", "ERROR_WSMAN_ENUMERATE_INVALID_ENUMERATION_CONTEXT",
                        "The subscription has ended.")
        rows = []
        while subscription.queue and len(rows) < most:
            rows.append(subscription.queue.popleft())
    finally:
        context.pulling = False
    if request.host.behaviour.changing_contexts:
        request.host.contexts.pop(context.id, None)
        context.id = wire.new_id()
        request.host.contexts[context.id] = context
    items = "".join(log_item(request.host, *r) if isinstance(r, tuple) else instance_xml(r) for r in rows)
    return (f"<n:PullResponse><n:EnumerationContext>{context.id}</n:EnumerationContext><n:Items>{items}</n:Items>"
            "</n:PullResponse>")


def log_item(host, number, row):
    return (f'<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider '
            f'Name="Microsoft-Windows-Hyper-V-VMMS"/><EventID>{row["id"]}</EventID><Level>{row["level"]}</Level>'
            f'<EventRecordID>{number + 1}</EventRecordID><Channel>Microsoft-Windows-Hyper-V-VMMS-Admin</Channel>'
            f"<Computer>{clean(host.fqdn)}</Computer></System><EventData><Data>{clean(row['text'])}</Data></EventData></Event>")
