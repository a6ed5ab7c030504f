# SPDX-License-Identifier: Apache-2.0
"""A small XML reader on expat: elements as nodes with namespaces resolved; document types are refused."""

from xml.parsers import expat

XML_NS = "http://www.w3.org/XML/1998/namespace"


class XmlError(Exception):
    pass


class Node:
    """One element. tag and attribute names are "uri local" (no uri: just local)."""
    __slots__ = ("uri", "local", "attrs", "children", "text", "prefixes")

    def __init__(self, uri, local, attrs, prefixes):
        self.uri = uri
        self.local = local
        self.attrs = attrs
        self.children = []
        self.text = ""
        self.prefixes = prefixes

    def child(self, uri, local):
        for node in self.children:
            if node.local == local and node.uri == uri:
                return node
        return None

    def all(self, uri, local):
        return [n for n in self.children if n.local == local and n.uri == uri]

    def attr(self, local, uri=""):
        return self.attrs.get((uri + " " + local) if uri else local)

    def qname(self, text):
        """(uri, local) of a prefixed name in this element's scope; None for an unknown prefix."""
        prefix, colon, local = text.strip().rpartition(":")
        if not colon:
            return self.prefixes.get("", ""), local
        uri = self.prefixes.get(prefix)
        return None if uri is None else (uri, local)


def parse(data: bytes, encoding=None) -> Node:
    parser = expat.ParserCreate(encoding, " ")
    parser.buffer_text = True
    root = None
    stack = []
    scopes = [{"xml": XML_NS}]
    pending = {}
    texts = []

    def split(name):
        uri, _, local = name.rpartition(" ")
        return uri, local

    def start_namespace(prefix, uri):
        pending[prefix or ""] = uri or ""

    def start(name, attrs):
        nonlocal root
        if pending:
            scope = {**scopes[-1], **pending}
            pending.clear()
        else:
            scope = scopes[-1]
        scopes.append(scope)
        uri, local = split(name)
        node = Node(uri, local, attrs, scope)
        if stack:
            stack[-1].children.append(node)
        else:
            root = node
        stack.append(node)
        texts.append([])
        if len(stack) > 200:
            raise XmlError("elements are nested too deeply")

    def end(_name):
        node = stack.pop()
        node.text = "".join(texts.pop())
        scopes.pop()

    def text(data):
        if texts:
            texts[-1].append(data)

    def doctype(*_):
        raise XmlError("a document type is not allowed")

    parser.StartNamespaceDeclHandler = start_namespace
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlError(str(error)) from None
    return root
