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
        self.type = " ".join(m[0][:m.start("name") - m.start()].split())
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
        self.files, self.functions, self.fields, self.macros, self.callbacks = files, {}, {}, {}, {}
        texts = []
        for file in files:
            text, found = functions(file)
            texts.append(text)
            for f in found:
                self.functions.setdefault(f.name, []).append(f)
        for text in texts:
            for m in re.finditer(r"\.(\w+)\s*=\s*&?(\w+)\s*[,;}\n]", text):
                if m[2] in self.functions:
                    self.fields.setdefault(m[1], set()).add(m[2])
            for m in re.finditer(r"^#define (\w+)\((?:\\\n|.)*", text, re.M):       # what it ends in is its value
                if called := [c for c in re.findall(r"\b(\w+)\(", m[0]) if c in self.functions]:
                    self.macros[m[1]] = called[-1]
            for m in re.finditer(r"\bstruct\s+iommu_(?:domain_)?ops\b[^;={(]*(?:=|\))\s*\{", text):
                block = text[m.end():m.end() + 4000]
                block = block[:re.search(r"^\t?\}", block + "\n}", re.M).start()]
                for c in re.finditer(rf"\.({CALLBACKS})\s*=\s*(\w+)", block):
                    self.callbacks.setdefault(c[2], c[1])
        if any(f.endswith("drivers/iommu/iommu.c") for f in files):
            self.callbacks = {n: "" for n in self.functions if re.match(r"iommu_(attach|replace)_(device|group)|iommu_\w+_claim_dma", n)}
        self.path = self.reach(set(self.callbacks))

    def callees(self, f):
        """Those functions of the driver that a function calls, by pointers and through other functions, too: (name, offset,
        arguments or None)"""
        for name, at, args in f.calls:
            if f.body[:at].endswith(("->", ".")):
                for g in self.fields.get(name, ()):
                    yield g, at, args
            elif name in self.functions:
                yield name, at, args
            if not LATER.search(name):
                for a in args:
                    a = a.strip().lstrip("&")
                    if a in self.functions and a != name:
                        yield a, at, None
        for m in re.finditer(r"(?<![\w.>])\w+\s*=\s*&?(\w+);", f.body):
            if m[1] in self.functions:
                yield m[1], m.start(), None

    def reach(self, names, call=lambda f, at: True):
        """What functions reach by calls that are of a kind"""
        todo, seen = list(names), set()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            for f in self.functions.get(name, ()):
                todo += [g for g, at, args in self.callees(f) if args is None or call(f, at)]
        return seen

    @functools.cached_property
    def identity(self):
        """Those functions of the path that identity domains alone reach, which a device need not be able to have"""
        kind = {name for name in self.callbacks if "identity" in name}
        return self.reach(kind) - self.reach(set(self.callbacks) - kind)

    @functools.cached_property
    def returned(self):
        """Those functions of the path whose return value is a callback's in the end"""
        return self.reach(self.callbacks, passed_on)

    @functools.cached_property
    def checked(self):
        """Those functions of the path whose return value is looked at on the whole way from the callback"""
        return self.reach(self.callbacks, lambda f, at: re.search(r"(?:[=(!]|&&|\|\||\breturn)\s*(?:\w+(?:->|\.))*$", f.body[:at]))

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
                    for _, _, args in f.calls:              # what a call fills in
                        for m in re.finditer(r"^\s*&(\w+)\s*$", "\n".join(args), re.M):
                            res.setdefault((name, m[1]), set()).update(*(self.of(f, a, res) for a in args))
                    for g, _, args in self.callees(f):
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
        expr = re.sub(r"\b\w*domain\s*->\s*type\b", "", expr)      # a fresh domain will have the same
        for m in re.finditer(r"(?<![\w@])([A-Za-z_]\w*)\b(?!\s*\()", re.sub(r"\s*(->|\.)\s*", "@", expr)):
            res |= known.get((f.name, m[1]), set())
        return res


    @functools.cached_property
    def wished(self):
        """Those functions of the path that are called only where the domain asks for it: after `if (!domain->...) return 0;`"""
        res = {}
        for name in self.path:
            for f in self.functions.get(name, ()):
                leave = [m.end() for m in re.finditer(r"\bif \((!\w+(?:->\w+)*(?: \|\| !\w+->\w+)*)\)\s*return 0;", f.body)
                         if "->" in m[1] and self.of(f, m[1]) == {"domain"}]
                for g, at, _ in self.callees(f):
                    res.setdefault(g, []).append(bool(leave) and leave[0] < at)
        return {g for g, found in res.items() if all(found)}

    @functools.cached_property
    def fresh(self):
        """{function: offset} of the path that are called only for a domain that nobody is attached to, from an offset on:
        by `if (!domain->field) ... f()`, or as they leave at once otherwise"""
        res, sites = {}, {}
        for name in self.path:
            for f in self.functions.get(name, ()):
                for m in re.finditer(r"\bif \((\w+(?:->|\.)[\w.>-]+)\)\s*\{?\s*(?:return 0;|goto \w+;)", f.body):
                    if self.of(f, m[1]) == {"domain"} and not re.search(r"\breturn -", f.body[:m.start()]):
                        res.setdefault(name, m.end())
                for g, at, _ in self.callees(f):
                    if g != name:
                        before = f.body[:at]
                        m = None
                        for m in re.finditer(r"\bif \(!(\w+(?:->|\.)[\w.>-]+)\)\s*(\{|[^;{}]*$)", before):
                            pass
                        inside = m and self.of(f, m[1]) == {"domain"} and not re.search(
                            "^" + re.match(r"[ \t]*", before[before.rfind("\n", 0, m.start()) + 1:])[0] + r"\}",
                            before[m.end():], re.M)
                        sites.setdefault(g, []).append((name, at, inside))
        while True:
            more = {g for g, where in sites.items() if g not in res and g not in self.callbacks
                    and all(inside or n in res and at > res[n] for n, at, inside in where)}
            if not more:
                return res
            res.update(dict.fromkeys(more, 0))


def branch(text, at):
    """The statement or block at an offset"""
    if not text[at:].lstrip().startswith("{"):
        return text[at:text.find(";", at) + 1]
    end, depth = text.index("{", at), 0
    while True:
        depth += (text[end] == "{") - (text[end] == "}")
        end += 1
        if not depth:
            return text[at:end]


def skip_else(text):
    """What is run after the place where a text begins: not the other branches of the ifs that it stands in"""
    while m := re.match(r"\s*(?:\}\s*)?else\b( if \()?", text):
        at = m.end() + (len(",".join(arguments(text, m.end()))) + 1 if m[1] else 0)
        text = text[at + len(branch(text, at)):]
    return text


def passed_on(f, at):
    """What the call at an offset of a function's body returns, the function returns: "" if not, or how it is checked"""
    m = re.search(r"(?:\breturn\s+|(\w+)\s*=\s*)(?:\w+(?:->|\.))*$", f.body[max(0, at - 200):at])
    if not m or not m[1]:
        return m and "return"
    text, x = f.body[f.body.find(";", at) + 1:], m[1]
    text = skip_else(text)
    # Not `return ret == -EINVAL ? -ENODEV : ret`
    value, changed = rf"\breturn (?:PTR_ERR\()?{x}\b(?:\)?;|[^;=]*\?[^;]*\b{x}\b)", rf"\b{x}\s*=[^=]"
    if not re.search(value, text):
        return ""
    how, check = "return", re.match(r"\s*(?:\}\s*)?if \(", text)
    if check and re.search(rf"\b{x}\b", cond := ",".join(arguments(text, check.end()))):
        block = branch(text, check.end() + len(cond) + 1)
        if not re.fullmatch(rf"!{x}", cond.strip()):        # else the rest of the function sees the error
            if leave := re.search(r"\b(return|goto|break)\b", block):
                return cond if not re.search(changed, block[:leave.start()]) and (
                    leave[0] != "return" or re.match(value, block[leave.start():])) else ""
        how, text = cond, skip_else(text[text.find(block) + len(block):])
    end = re.search(r"^\t(\t*)return\b[^;]*;", text, re.M)
    return how if end and re.search(value, end[0]) and not re.search(changed, text[:end.start()]) else ""


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


def device_alone(f, p, expr, errno):
    """The condition depends on the device or its IOMMU alone, or any fresh domain would meet it, too."""
    d = driver(f.file)
    if lost(f, int(p.line), expr):      # of memory or IDs
        return False
    if re.search(r"\bcase \w+:\s*$", f.body[:offset(f, p)]) and not re.search(r"struct (iommu_domain|device) ", str(f.params)):
        return errno == "EINVAL" and f.name in d.returned         # it translates an answer of the device
    known = set().union(*(d.origins.get((f.name, x), set()) for _, x in f.params))
    if f.name not in d.callbacks and f.params and (not known or not expr and known == {"dev"}) and errno not in ("EIO", "EFAULT"):
        return f.name in d.returned         # a function that knows no domain
    if f.name not in d.returned or f.name in d.identity or compares(f) and not re.fullmatch(r"\s*!\s*\w+\s*", expr):
        return False
    of = d.of(f, expr)
    if of == {"domain"} and re.search(r"\bdefault:\s*$", f.body[:offset(f, p)]):      # of a switch over what the driver has set
        return False
    return bool(expr) and not re.search(r"-\s*E[A-Z]+\b", expr) and (
        of == {"dev"} or f.name in d.fresh and offset(f, p) > d.fresh[f.name])


def compares(f):
    """The function compares a domain with an IOMMU, feature by feature."""
    found = [condition(f, f.line + f.body.count("\n", 0, m.start())) for m in re.finditer(r"\breturn -E\w+;", f.body)]
    return sum(mismatch(f, c) for c in found) > 1


class At:
    """A position of another line of a file"""
    def __init__(self, p, line):
        self.file, self.line, self.column, self.column_end = p.file, str(line), "0", "0"


def cases(f, p):
    """[(position, condition)] of an errno at a position: its own, or where it is set in advance (`ret = -EINVAL;`, then
    `if (...) goto out;` or `return ret;`), those of the ifs that go out with it"""
    text = f.body[offset(f, p):]
    if not re.search(r"(?:\breturn|[^=!<>]=)\s*-$", text[:int(p.column)]):
        return []
    m, before = re.match(r"[^;\n]*?(\w+) = -\w+;\s*(\w*)", text), f.body[:offset(f, p)].rstrip()
    if not m or m[2] in ("goto", "return", "break") or text[m.end():].startswith("}") or before.endswith((")", "else")):
        return [(p, condition(f, int(p.line)))]
    res = []
    for n in re.finditer(rf"\b{m[1]} = |\bif \(", text[m.end(1) + 3:]):
        rest = text[m.end(1) + 3 + n.start():]
        if not n[0].startswith("if"):
            break
        cond = ",".join(arguments(rest, 4))
        if re.match(rf"\s*(\{{\s*)?(\w+\([^;]*\);\s*)?(goto\b|return {m[1]};)", rest[4 + len(cond) + 1:]):
            res.append((At(p, int(p.line) + text[:m.end(1) + 3 + n.start()].count("\n")), cond))
    return res


def offset(f, p):
    return sum(len(t) + 1 for t in f.body.split("\n")[:int(p.line) - f.line])


def mismatch(f, expr, errno=""):
    """The condition compares what comes from the domain with what comes from the device; or the domain is taken."""
    d = driver(f.file)
    if re.search(r"-\s*E[A-Z]+\b", expr):       # it translates an errno
        return False
    if errno not in ("", "ENODEV") and "_domain *" in str(f.params) and d.of(f, expr) == {"domain"} and re.fullmatch(r"\s*\w+(->|\.)\w+\s*", expr):
        return True
    if errno == "ENODEV" and f.name in d.wished and d.of(f, expr) == {"dev"}:
        return True         # what the domain asks for the device lacks
    if errno not in ("", "EBUSY", "ENODEV", "ENOMEM") and d.of(f, expr) == {"dev"} and (compares(f) or "identity" in f.name and errno != "EOPNOTSUPP"):
        return True
    # What a call returns is compared with 0, not with the device
    parts = [part for part in re.split(r"&&|\|\|", expr) if not re.search(r"[<>!=]=?\s*0\b", part)]
    return any(d.of(f, part) == {"domain", "dev"} and re.search(r"[!=<>]=|[<>](?!=)|&\s*~|^\s*!\s*\w+\s*\(", part.replace("->", ".")) for part in parts) or (
        len(parts) > 1 and {"domain"} in (of := [d.of(f, part) for part in parts]) and {"dev"} in of)


@functools.cache
def accepted():
    """[(rule, function, code, reason)] of the list beside this file: what a rule reports and is right as it stands"""
    res = []
    with open(os.environ.get("ACCEPTED") or os.path.join(os.path.dirname(__file__), "accepted"), encoding="utf-8") as f:
        for ln in f:
            m = re.fullmatch(r"(?:#.*|(\w+) (\w+): (.+?) -- (.+)|)\n", ln)
            if not m:
                raise ValueError(f"accepted: not of the form `rule function: code -- reason`: {ln}")
            if m[1]:
                res.append(m.groups())
    return res


def holds(d, why):
    """A reason that begins with `f() ...` is one where the driver has that function, and with `f() calls g()`, where it does"""
    m = re.match(r"(\w+)\(\)(?: calls (\w+)\(\))?", why)
    return not m or any(not m[2] or m[2] in (name for name, _, _ in f.calls) for f in d.functions.get(m[1], ()))


def finding(rule, f, p, text):
    """[(position, message)], or an empty list for what is accepted"""
    line = int(p.line)
    code = " ".join(f"{condition(f, line)} {f.body.split(chr(10))[line - f.line]}".split())
    right = any((rule, f.name) == (r, name) and c in code and holds(driver(f.file), why) for r, name, c, why in accepted())
    return [] if right else [(p, f"ERROR: {f.name}() {text}")]


ALLOC = re.compile(r"alloc|get_zeroed_page|get_free_page|kmemdup|dma_mapping_error|(devm_)?request_(threaded_)?irq$")
COUNTED = re.compile(r"(ida|idr|xa)_alloc|ida_simple_get|idr_get|find_(first|next)_zero_bit")


def errnos(d, name, seen=()):
    """Which of ENOMEM and ENOSPC a call is about to return: those that the driver's functions name, or pass on"""
    if COUNTED.match(name):
        return {"ENOSPC"}
    if name not in d.functions:
        return {"ENOMEM"} if ALLOC.search(name) else set()
    res = set()
    for f in d.functions[name] if name not in seen else ():
        res |= set(re.findall(r"-(ENOMEM|ENOSPC)\b", f.body))
        for g, at, args in d.callees(f):
            if args is not None and (passed_on(f, at) or re.search(r"\breturn NULL;", f.body)):
                res |= errnos(d, g, (*seen, name))
        for g, at, _ in f.calls:
            if g not in d.functions and (re.search(r"\breturn (NULL;|-)", f.body) or passed_on(f, at)):
                res |= errnos(d, g)
    return res or ({"ENOMEM"} if ALLOC.search(name) else res)


def lost(f, line, condition):
    """[(callee, errno)] of what a condition is about: the failure of a call, or of what it has put into a variable"""
    d, before, res = driver(f.file), "\n".join(f.body.split("\n")[:line - f.line]), []
    if re.search(r"-\s*E[A-Z]+\b", condition):      # it translates an errno
        return res
    for part in re.split(r"&&|\|\|", condition):
        m = re.fullmatch(r"\s*(?:(?:un)?likely|IS_ERR\w*)?[\s(!]*([A-Za-z_]\w*(?:(?:->|\.)\w+)*)(\s*\(.*)?[)\s]*(?:[!=<>]=?[^=].*)?", part, re.S)
        if not m:
            continue
        name = m[1] if m[2] else ""
        if not name:
            sets = list(re.finditer(rf"(?<![\w.>]){re.escape(m[1])}\s*=(?!=)([^;]*);", before))
            call = sets and re.match(r"\s*(?:\([^()]*\)\s*)?(\w+)\s*\(", sets[-1][1])
            name = call[1] if call else ""
        res += [(name, e) for e in errnos(d, name)] if name else []
    return sorted(set(res))


def passed(f, p, name):
    """passed_on() of the call at a position, if the attach callback returns what the function returns"""
    return f.name in driver(f.file).returned and passed_on(f, f.body.find(name, offset(f, p) + int(p.column)))


def condition(f, line):
    """The condition under which a statement runs: that of the innermost if, of all ifs before an else, or what a switch
    looks at; an empty string at the outermost level"""
    lines = f.body.expandtabs(8).split("\n")[:line - f.line + 1]      # kernel style: the indentation tells
    width = [len(t) - len(t.lstrip()) if t.strip() else 999 for t in lines]
    n, level = len(lines) - 1, width[-1]
    while n > 0 and level > 8:
        n -= 1
        m = re.match(r"(?:\} )?(?:(else )?(if|switch|while|for\w*) \(|(else|case|default)\b)", lines[n].lstrip())
        if width[n] > level or width[n] == level and not (m and m[3] in ("case", "default")) or not m:
            continue
        level = width[n]
        if m[2] in ("while",) or m[2] and m[2].startswith("for"):
            continue
        text = "\n".join(lines[n:])
        if m[2]:
            return ",".join(arguments(text, text.index("(") + 1))
        if m[3] != "else":
            level += 1          # on to the switch, which is at the same level
            continue
        text = ""
        while n > 0:
            n -= 1
            if width[n] == level and (m := re.match(r"(\} else )?if \(", lines[n].lstrip())):
                rest = "\n".join(lines[n:])
                text += " || " + ",".join(arguments(rest, rest.index("(") + 1))
                if not m[1]:
                    return text
            elif width[n] < level:
                return text
    return ""


# Parts of the kernel whose errnos are about something else than a domain. Those that cannot be -EINVAL are not here.
FOREIGN = re.compile(r"(devm_)?(pm_runtime_(get_sync|resume_and_get|get_if_\w+|resume)|clk(_bulk)?_(enable|prepare|prepare_enable)"
                     r"|request_(threaded_)?irq|regmap_\w+|reset_control_\w+|pci_(enable|reset|prepare)_\w+|qcom_scm_\w+"
                     r"|zpci_register_ioat|iommu_fwspec_\w+|arm_smccc_\w+|hv_\w+|rpm_\w+|regulator_\w+|power_domain_\w+)$")


def foreign(name):
    return bool(FOREIGN.match(name))


_seen = set()


def first(p):
    """True once for each position: isomorphisms match the same code several times."""
    key = p.file, p.line, p.column
    return key not in _seen and not _seen.add(key)
