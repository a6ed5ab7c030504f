# SPDX-License-Identifier: Apache-2.0
"""The remote shell: create, command, receive, send, signal, delete. Commands come from a small table."""

import asyncio
import base64
import binascii
import re

from . import cimtime
from .inst import clean
from .wire import Fault, RSP, X

CMD = RSP + "/cmd"
DONE = RSP + "/CommandState/Done"
RUNNING = RSP + "/CommandState/Running"
NOT_FOUND = 2147942402


class Shell:
    def __init__(self, host, owner):
        self.id = host.guid()
        self.owner = owner
        self.begun = cimtime.now()
        self.commands = {}
        self.environment = {}
        self.folder = "C:\\Users\\Administrator"
        self.streams = "stdin", "stdout stderr"


class Command:
    def __init__(self, host, line):
        self.id = host.guid()
        self.line = line
        self.stdin = b""
        self.stdin_ended = False
        self.done_at = cimtime.now()
        self.out = {"stdout": b"", "stderr": b""}
        self.code = 0
        self.interrupted = False
        self.waits = False


def run(host, shell, line):
    """(code, stdout, stderr, seconds) of a command line; None when there is no such program."""
    known = host.shell_commands.get(line.strip().lower())
    if known:
        return known
    words = line.strip().split(None, 1)
    name = words[0].strip('"').lower() if words else ""
    rest = words[1] if len(words) > 1 else ""
    name = name.rsplit("\\", 1)[-1]
    name = name[:-4] if name.endswith(".exe") else name
    if name == "cmd":
        match = re.match(r"/c\s+(.*)", rest, re.I | re.S)
        return run(host, shell, match.group(1).strip('"')) if match else (0, "", "", 0)
    if name == "hostname":
        return 0, host.name + "\r\n", "", 0
    if name == "whoami":
        return 0, f"{host.name.lower()}\\{shell.owner.lower()}\r\n", "", 0
    if name == "echo":
        return 0, re.sub(r"%(\w+)%", lambda m: shell.environment.get(m.group(1).upper(), m.group(0)), rest) + "\r\n", "", 0
    if name == "ipconfig":
        return 0, f"\r\nWindows IP Configuration\r\n\r\n   IPv4 Address. . . . : {host.nics[0].address}\r\n", "", 0
    if name == "ver":
        return 0, f"\r\nMicrosoft Windows [Version 10.0.{host.build['number']}.1]\r\n", "", 0
    if name == "cd":
        return 0, shell.folder + "\r\n", "", 0
    if name == "exit":
        return (int(rest) if rest.strip("-").isdigit() else 0), "", "", 0
    if name == "ping":
        return 0, "\r\nPinging 127.0.0.1 with 32 bytes of data:\r\n", "", 2
    if name == "dir":
        return folder(host, rest)
    if name == "del":
        return delete(host, rest)
    if name == "copy":
        return copy(host, rest)
    if name in ("sort", "more"):
        return 0, None, "", 0
    if name == "powershell":
        return powershell(host, shell, rest)
    return None


def _paths(text):
    return [a or b for a, b in re.findall(r'"([^"]+)"|(\S+)', text) if not (b or a).startswith("/")]


def folder(host, rest):
    path = (_paths(rest) or ["C:\\"])[0].rstrip("\\")
    rows = [d for d in host.files.values() if d.path.lower().startswith(path.lower() + "\\")
            or d.path.lower() == path.lower()]
    if not rows:
        return 1, "", "File Not Found\r\n", 0
    bare = "/b" in rest.lower()
    lines = [d.path.rsplit("\\", 1)[1] if bare and "/s" not in rest.lower() else
             d.path if bare else f"{d.used:>20} {d.path}" for d in rows]
    return 0, "\r\n".join(lines) + "\r\n", "", 0


def delete(host, rest):
    for path in _paths(rest):
        if host.drop_file(path) is None:
            return 1, "", f"Could Not Find {path}\r\n", 0
        host.note("file deleted", path, cause="shell")
    return 0, "", "", 0


def copy(host, rest):
    paths = _paths(rest)
    source = host.file(paths[0]) if paths else None
    if len(paths) != 2 or source is None:
        return 1, "", "The system cannot find the file specified.\r\n", 0
    from .model import Disk
    twin = Disk(paths[1], source.kind, source.format, source.size, source.used, source.parent, source.block, source.logical,
                source.physical, source.ident)
    host.add_file(twin)
    host.note("file copied", paths[1], source=paths[0], cause="shell")
    return 0, "        1 file(s) copied.\r\n", "", 0


def powershell(host, shell, rest):
    """An encoded command: looked up in the table, else a few simple ones."""
    match = re.search(r"-enc\w*\s+(\S+)", rest, re.I)
    script = rest
    if match:
        try:
            script = base64.b64decode(match.group(1), validate=True).decode("utf-16-le")
        except (binascii.Error, UnicodeDecodeError):
            return 1, "", "The encoded command is not valid.\r\n", 0
    # Clients put settings of their own in front.
    script = re.sub(r"^\s*\$ProgressPreference\s*=\s*['\"]?\w+['\"]?\s*[;\n]", "", script, flags=re.I)
    known = host.shell_commands.get(script.strip().lower())
    if known:
        return known
    text = script.strip().split("\n")[-1].strip().lower()
    if text in ("hostname", "$env:computername"):
        return 0, host.name + "\r\n", "", 0
    match = re.fullmatch(r"(?:write-output|write-host|echo)\s+['\"]?(.*?)['\"]?", script.strip(), re.I | re.S)
    if match:
        return 0, match.group(1) + "\r\n", "", 0
    match = re.fullmatch(r"exit\s+(\d+)", text)
    if match:
        return int(match.group(1)), "", "", 0
    return 1, "", ('#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
                   f'<S S="Error">{clean(script[:60])} : The term is not recognized._x000D__x000A_</S></Objs>'), 0


def act(request):
    action = request.action
    if action == X + "/Create":
        return create(request)
    if action.startswith("http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate"):
        return listing(request)
    shell = shell_of(request)
    if action == X + "/Delete":
        del request.host.shells[shell.id]
        return ""
    if action == X + "/Get":
        return described(request, shell)
    for name, handler in (("Command", command), ("Receive", receive), ("Send", send), ("Signal", signal)):
        if action == f"{RSP}/{name}":
            return handler(request, shell)
    raise Fault("a:ActionNotSupported", "ERROR_WSMAN_ACTION_NOT_SUPPORTED", "The shell does not know this action.")


def selectors_fault(text):
    return Fault("w:InvalidSelectors", "ERROR_WSMAN_UNEXPECTED_SELECTORS", text, "UnexpectedSelectors")


def shell_of(request):
    wanted = next((v for k, v in request.selectors if k == "ShellId"), None)
    shell = request.host.shells.get(str(wanted).upper())
    if shell is None:
        raise selectors_fault("The Windows Remote Shell received a request to perform an operation on a shell identifier that "
                              "does not exist. Either the shell has completed execution or the client specified an invalid "
                              "shell identifier.")
    return shell


def create(request):
    host = request.host
    if request.uri.lower() != CMD.lower():
        raise Fault("a:DestinationUnreachable", "ERROR_WSMAN_RESOURCE_NOT_FOUND", "Only the command shell exists here.")
    if len(host.shells) >= host.limits.shells_per_user:
        raise Fault("w:QuotaLimit", "ERROR_WSMAN_QUOTA_MAX_SHELLS_PPQ",
                    "The WS-Management service cannot process the request. This user has exceeded the maximum number of "
                    "concurrent shells.")
    node = request.content
    if node is None or node.uri != RSP or node.local != "Shell":
        raise Fault("w:SchemaValidationError", "ERROR_WSMAN_SCHEMA_VALIDATION_ERROR", "rsp:Shell is expected.")
    shell = Shell(host, host.user)
    environment = node.child(RSP, "Environment")
    for variable in environment.all(RSP, "Variable") if environment is not None else ():
        shell.environment[(variable.attr("Name") or "").upper()] = variable.text
    where = node.child(RSP, "WorkingDirectory")
    if where is not None and where.text:
        shell.folder = where.text
    host.shells[shell.id] = shell
    return (f"<x:ResourceCreated><a:Address>{clean(request.to)}</a:Address><a:ReferenceParameters><w:ResourceURI>{CMD}"
            f'</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
            f"</a:ReferenceParameters></x:ResourceCreated>{described(request, shell)}")


def described(request, shell):
    return (f'<rsp:Shell xmlns:rsp="{RSP}"><rsp:ShellId>{shell.id}</rsp:ShellId><rsp:ResourceUri>{CMD}</rsp:ResourceUri>'
            f"<rsp:Owner>{clean(shell.owner)}</rsp:Owner><rsp:ClientIP>127.0.0.1</rsp:ClientIP>"
            f"<rsp:IdleTimeOut>PT7200.000S</rsp:IdleTimeOut><rsp:InputStreams>{shell.streams[0]}</rsp:InputStreams>"
            f"<rsp:OutputStreams>{shell.streams[1]}</rsp:OutputStreams><rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime>"
            "<rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>")


def listing(request):
    rows = "".join(described(request, s) for s in request.host.shells.values())
    return (f"<n:EnumerateResponse><n:EnumerationContext></n:EnumerationContext><w:Items>{rows}</w:Items>"
            "<w:EndOfSequence/></n:EnumerateResponse>")


def command(request, shell):
    node = request.content
    if node is None or node.local != "CommandLine" or node.child(RSP, "Command") is None:
        raise Fault("w:SchemaValidationError", "ERROR_WSMAN_SCHEMA_VALIDATION_ERROR", "rsp:CommandLine is expected.")
    line = " ".join([node.child(RSP, "Command").text] + [a.text for a in node.all(RSP, "Arguments")]).strip()
    skip = request.options.get("WINRS_SKIP_CMD_SHELL", "FALSE").strip().lower() == "true"
    if len(line) > 8191:
        raise Fault("w:InvalidParameter", 2147942450, "The command line is too long.", "InvalidValue")
    result = run(request.host, shell, line)
    if result is None:
        if skip:
            raise Fault("w:InternalError", NOT_FOUND, "The system cannot find the file specified.",
                        provider=("Shell cmd plugin", r"%systemroot%\system32\winrscmd.dll"), sender=False)
        name = line.split()[0] if line else ""
        result = (1, "", f"'{name}' is not recognized as an internal or external command,\r\n"
                         "operable program or batch file.\r\n", 0)
    made = Command(request.host, line)
    made.code, out, err, seconds = result
    made.waits = out is None
    made.out = {"stdout": (out or "").encode(), "stderr": err.encode()}
    made.done_at = cimtime.now() + seconds / request.host.estate.speed
    shell.commands[made.id] = made
    request.host.note("command", line, shell=shell.id, cause="shell")
    return f'<rsp:CommandResponse xmlns:rsp="{RSP}"><rsp:CommandId>{made.id}</rsp:CommandId></rsp:CommandResponse>'


def command_of(shell, ident):
    found = shell.commands.get(str(ident).upper())
    if found is None:
        raise selectors_fault("The Windows Remote Shell received a request to perform an operation on a command identifier that "
                              "does not exist. Either the command has completed execution or the client specified an invalid "
                              "command identifier.")
    return found


async def receive(request, shell):
    node = request.content
    stream = node.child(RSP, "DesiredStream") if node is not None else None
    if stream is None:
        raise Fault("w:SchemaValidationError", "ERROR_WSMAN_SCHEMA_VALIDATION_ERROR", "rsp:DesiredStream is expected.")
    made = command_of(shell, stream.attr("CommandId"))
    deadline = cimtime.now() + request.timeout
    while not ready(made):
        left = deadline - cimtime.now()
        if left <= 0:
            from .service import timed_out
            raise timed_out()
        await asyncio.sleep(min(0.05, max(0.001, left)))
    rows = []
    room = request.envelope // 2
    for name in ("stdout", "stderr"):
        data, made.out[name] = made.out[name][:room], made.out[name][room:]
        if data:
            rows.append(f'<rsp:Stream Name="{name}" CommandId="{made.id}">{base64.b64encode(data).decode()}</rsp:Stream>')
    if any(made.out.values()):
        state = f'<rsp:CommandState CommandId="{made.id}" State="{RUNNING}"></rsp:CommandState>'
    else:
        rows += [f'<rsp:Stream Name="{name}" CommandId="{made.id}" End="true"></rsp:Stream>' for name in ("stdout", "stderr")]
        state = (f'<rsp:CommandState CommandId="{made.id}" State="{DONE}"><rsp:ExitCode>{made.code}</rsp:ExitCode>'
                 "</rsp:CommandState>")
    return f'<rsp:ReceiveResponse xmlns:rsp="{RSP}">{"".join(rows)}{state}</rsp:ReceiveResponse>'


def ready(made):
    if made.interrupted:
        return True
    if made.waits:
        return made.stdin_ended
    return cimtime.now() >= made.done_at


def send(request, shell):
    for stream in request.content.all(RSP, "Stream") if request.content is not None else ():
        made = command_of(shell, stream.attr("CommandId"))
        try:
            made.stdin += base64.b64decode(stream.text, validate=False)
        except binascii.Error:
            raise Fault("w:InvalidParameter", "ERROR_WSMAN_INVALID_PARAMETER", "The stream is not base64.") from None
        if (stream.attr("End") or "").lower() == "true":
            made.stdin_ended = True
            if made.waits:
                lines = made.stdin.decode("utf-8", "replace").splitlines()
                made.out["stdout"] += "".join(f"{x}\r\n" for x in (sorted(lines) if made.line.startswith("sort") else lines)
                                              ).encode()
    return f'<rsp:SendResponse xmlns:rsp="{RSP}"/>'


def signal(request, shell):
    node = request.content
    if node is None or node.local != "Signal":
        raise Fault("w:SchemaValidationError", "ERROR_WSMAN_SCHEMA_VALIDATION_ERROR", "rsp:Signal is expected.")
    made = shell.commands.get(str(node.attr("CommandId")).upper())
    code = node.child(RSP, "Code")
    if made is not None and not ready(made):
        made.interrupted = True
        made.code = 1223 if code is not None and code.text.endswith("ctrl_c") else 1
    return f'<rsp:SignalResponse xmlns:rsp="{RSP}"/>'
