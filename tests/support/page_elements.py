"""Reads a page as a list of elements, for tests."""

import base64
import hashlib
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "wbr", "input", "img", "hr"}


class Page(HTMLParser):
    """A page as a list of elements, with the text of each."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.elements, self.faults = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = {
            "tag": tag,
            "attrs": dict(attrs),
            "text": "",
            "path": [e["tag"] for e in self.stack],
        }
        element["parents"] = list(self.stack)
        self.elements.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.stack or self.stack[-1]["tag"] != tag:
            self.faults.append(tag)
            return
        self.stack.pop()

    def handle_data(self, data):
        for element in self.stack:
            element["text"] += data

    def all(self, tag, **attrs):
        wanted = {name.rstrip("_"): value for name, value in attrs.items()}
        return [
            e
            for e in self.elements
            if e["tag"] == tag and all(e["attrs"].get(n) == v for n, v in wanted.items())
        ]

    def policy(self):
        """Give the page's content security policy: directive -> its sources."""
        content = next(
            e["attrs"]["content"]
            for e in self.elements
            if e["attrs"].get("http-equiv") == "Content-Security-Policy"
        )
        return {part.split()[0]: part.split()[1:] for part in content.split(";")}

    def foreign_scripts(self):
        """Give the scripts that are neither data nor inline ones that the policy knows."""
        known = self.policy()["script-src"]
        found = []
        for element in self.all("script"):
            digest = hashlib.sha256(element["text"].encode()).digest()
            ours = f"'sha256-{base64.b64encode(digest).decode()}'" in known
            data = element["attrs"].get("type") == "application/json"
            if "src" in element["attrs"] or not (data or ours):
                found.append(element)
        return found
