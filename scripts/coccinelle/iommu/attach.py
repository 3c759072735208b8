# SPDX-License-Identifier: GPL-2.0
"""What the semantic patches of this folder ask about an IOMMU driver: which of its functions an attach callback reaches,
across the driver's files, and whether a value there comes from the domain, from the device, or from both.

A driver is the files of a folder, or one file of drivers/iommu/ itself with the headers beside it. Sources are read as
text, in the kernel's style: a definition begins and its body ends in the first column."""
import bisect
import functools
import glob
import os
import re

CALLBACKS = "attach_dev|set_dev_pasid|attach_dev_pasid"
# Calls that store a function for later, or run it in another context
LATER = re.compile(r"request_(threaded_)?irq|INIT_|timer_setup|kthread|add_action|notifier|iopf_queue|call_rcu|irq_set|tasklet")
KEYWORDS = set("if while for switch return sizeof do else case typeof defined __attribute__ offsetof".split())


def spaces(m):
    return re.sub(r"[^\n]", " ", m[0])


def blank(text):
    """A C source without comments and strings, every other character at its place"""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", spaces, text, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\\n])*"|' r"'(?:\\.|[^'\\\n])*'", lambda m: m[0][0] + " " * (len(m[0]) - 2) + m[0][-1], text)


class Function:
    def __init__(self, file, m, line):
        self.file, self.name, self.body, self.line = file, m["name"], m["body"], line
        self.static, params = m[0].startswith("static"), m["params"]
        self.params = []            # (type, name)
        for p in split(params):
            m = re.match(r"(.*?)(\w+)\s*(?:\[[^]]*\])?\s*$", p.strip(), re.S)
            if m:
                self.params.append((" ".join(m[1].split()), m[2]))

    @functools.cached_property
    def calls(self):
        """[(name, offset in the body, arguments)] of what it calls, functions that it hands to another one included"""
        res = []
        for m in re.finditer(r"(?<![\w])(\w+)\s*\(", self.body):
            if m[1] not in KEYWORDS:
                res.append((m[1], m.start(), arguments(self.body, m.end())))
        return res


def split(text):
    """The parts of a list that commas part, but for those within brackets"""
    res, depth, cur = [], 0, ""
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth:
            res.append(cur)
            cur = ""
        else:
            cur += c
    return res + [cur] if cur.strip() else res


def arguments(text, start):
    depth, i = 1, start
    while i < len(text) and depth:
        depth += (text[i] == "(") - (text[i] == ")")
        i += 1
    return split(text[start:i - 1])


DEFINITION = re.compile(r"^(?!\s|#)(?:[A-Za-z_][\w \t\*]*?(?:\([^()]*\))?[\s\*]+)?\**(?P<name>\w+)\s*\((?P<params>(?:[^(){};]|\([^()]*\))*)\)"
                        r"(?:\s*__\w+(?:\([^()]*\))?)*\s*\n?\{(?P<body>.*?)^\}", re.M | re.S)


@functools.cache
def functions(file):
    with open(file, encoding="utf-8", errors="replace") as f:
        initialisers = blank(f.read())          # a macro can have some of an initialiser
    text = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", spaces, initialisers, flags=re.M)
    starts = [0] + [m.end() for m in re.finditer("\n", text)]
    res = []
    for m in DEFINITION.finditer(text):
        if m["name"] not in KEYWORDS:
            res.append(Function(file, m, bisect.bisect_right(starts, m.start("body"))))
    return initialisers, res


class Driver:
    def __init__(self, files):
        self.files, self.functions, self.fields, self.callbacks = files, {}, {}, {}
        texts = []
        for file in files:
            text, found = functions(file)
            texts.append(text)
            for f in found:
                self.functions.setdefault(f.name, []).append(f)
        for text in texts:
            for m in re.finditer(r"\.(\w+)\s*=\s*&?(\w+)\s*[,}\n]", text):
                if m[2] in self.functions:
                    self.fields.setdefault(m[1], set()).add(m[2])
            for m in re.finditer(r"\bstruct\s+iommu_(?:domain_)?ops\b[^;={(]*(?:=|\))\s*\{", text):
                block = text[m.end():m.end() + 4000]
                block = block[:re.search(r"^\t?\}", block + "\n}", re.M).start()]
                for c in re.finditer(rf"\.({CALLBACKS})\s*=\s*(\w+)", block):
                    self.callbacks.setdefault(c[2], c[1])
        self.path = self.reach(set(self.callbacks))

    def callees(self, f):
        for name, at, args in f.calls:
            if name in self.functions:
                yield name, args
            if f.body[:at].rstrip().endswith(("->", ".")):
                for g in self.fields.get(name, ()):
                    yield g, args
            if not LATER.search(name):
                for a in args:
                    a = a.strip().lstrip("&")
                    if a in self.functions and a != name:
                        yield a, None

    def reach(self, names):
        todo, seen = list(names), set()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            for f in self.functions.get(name, ()):
                todo += [g for g, _ in self.callees(f)]
        return seen

    @functools.cached_property
    def origins(self):
        """{(function, variable): set of "domain", "dev"}: what a local variable or parameter of the path is made from"""
        res = {}
        for name in self.path:
            for f in self.functions.get(name, ()):
                for n, (kind, p) in enumerate(f.params):
                    if re.search(r"\bstruct (iommu_domain|\w*_domain) \*$", kind) and not p.startswith("old"):
                        res[name, p] = {"domain"}
                    elif re.search(r"\bstruct (device|pci_dev|platform_device|zpci_dev) \*$", kind):
                        res[name, p] = {"dev"}
                    else:
                        res.setdefault((name, p), set())
        while True:
            before = sum(map(len, res.values()))
            for name in self.path:
                for f in self.functions.get(name, ()):
                    for m in re.finditer(r"\b(\w+)\s*(?:[|&+-]|<<|>>)?=(?!=)([^;]*?);", f.body):
                        if not f.body[:m.start()].rstrip().endswith(("->", ".")):
                            res.setdefault((name, m[1]), set()).update(self.of(f, m[2], res))
                    for m in re.finditer(r"\bfor_each_\w+\s*\(|\blist_for_each_entry\w*\s*\(|\bfor_each\w*\s*\(", f.body):
                        args = arguments(f.body, m.end())
                        for a in args[:2]:
                            if re.fullmatch(r"\s*\w+\s*", a):
                                res.setdefault((name, a.strip()), set()).update(*(self.of(f, b, res) for b in args))
                    for g, args in self.callees(f):
                        for h in self.functions.get(g, ()) if args is not None and g in self.path else ():
                            for (_, p), a in zip(h.params, args):
                                if not res.get((g, p)) or not {"domain", "dev"} & res[g, p]:
                                    res.setdefault((g, p), set()).update(self.of(f, a, res))
                                elif re.search(r"\w", a):
                                    res[g, p].update(self.of(f, a, res))
            if sum(map(len, res.values())) == before:
                return res

    def of(self, f, expr, known=None):
        """What an expression in a function is made from"""
        known = self.origins if known is None else known
        res = set()
        for m in re.finditer(r"(?<![\w.>])([A-Za-z_]\w*)\b(?!\s*\()", re.sub(r"->|\.", ">", expr).replace("> ", ">")):
            res |= known.get((f.name, m[1]), set())
        return res


@functools.cache
def driver(file):
    folder = os.path.dirname(file)
    if os.path.basename(folder) == "iommu" or not re.search(r"(^|/)drivers/iommu/", file):
        own = [file]
        if os.path.basename(folder) == "iommu":
            stem, text = file[:-2], functions(file)[0]
            own += glob.glob(f"{folder}/*.h") + [
                f for f in glob.glob(f"{folder}/*.c") if stem.startswith(f[:-2] + "_")
                and any(not g.static and re.search(rf"\b{g.name}\(", text) for g in functions(f)[1])]
    else:
        own = sorted(glob.glob(f"{folder}/*.[ch]"))
    return Driver([f for f in own if not re.search(r"-test\.[ch]$", f)])


def on_path(p):
    """The function of a position, if an attach callback reaches it"""
    d = driver(p.file)
    return p.current_element in d.path and next(
        (f for f in d.functions.get(p.current_element, ()) if f.file == p.file), None)
