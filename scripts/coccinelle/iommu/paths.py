# SPDX-License-Identifier: GPL-2.0
"""What a function of an IOMMU driver does on its ways out: which calls can fail, what has been changed or taken by then, and
what of that a failure leaves behind. SmPL follows the ways through one function, but asks on none of them whether a value is
an error, nor what the functions do that are called there.

A body becomes a graph of statements. On each way through it the state is: what is known of variables, what stands changed or
taken, and which step has failed. A call forks the way, where it can fail. What a callee does counts where it is called: after
a success as one change, after a failure as what the callee has left behind."""
import functools
import re

import attach

# Kernel functions that return 0 or an errno, and that a driver is to look at
FAIL = re.compile(r"pm_runtime_(get_sync|resume_and_get|get_if_\w+|resume|force_\w+)$|(devm_)?clk_(bulk_)?(prepare|enable|prepare_enable|set_rate|set_parent)$"
                  r"|regmap_(?!.*(init|exit|free))\w+$|reset_control_(bulk_)?(de)?assert$|reset_control_reset$|pci_(enable|reset)_\w+$|regulator_(bulk_)?enable$"
                  r"|phy_(init|power_on)$|(devm_)?request_(threaded_)?irq$|(iommu|of_iommu)_fwspec_(init|add_ids)$|qcom_scm_\w+$"
                  r"|(xa|ida|idr)_alloc\w*$|xa_insert$|xa_err$|ida_simple_get$|iommu_(attach|replace)_\w+$|iommufd_\w+_(attach|replace)$|iommu_map\w*$|virtqueue_add_\w+$"
                  r"|iopf_queue_add_device$|zpci_(un)?register_ioat$|zpci_dma_(init|exit)_device$|dma_set_\w*mask\w*$|\w+_poll_timeout(_atomic)?$|kstrto\w+$"
                  r"|iommu_(device_)?(register|sysfs_add)\w*$|component_bind_all$|set_memory_\w+$")
# Kernel functions that make NULL of a failure
ALLOC = re.compile(r"(devm_)?k[mzvc]+alloc\w*$|kmemdup|kmem_cache_z?alloc\w*$|alloc_pages?\w*$|__get_free_pages?$|get_zeroed_page|dma_alloc_\w+$|alloc_io_pgtable_ops$"
                   r"|iommu_alloc_page\w*|dmam_alloc_\w+$|mempool_alloc$|v[mz]alloc\w*$|bitmap_z?alloc$")
ERRVAR = re.compile(r"#\w*|(\w*_)?(ret|rc|err|error|retval|result|r|cc|status)\d?$")
HARMLESS = re.compile(r"(^|_)make_|alloc_\w*(ptr|blocking_domain)$|add_req|_addr$|find_|lookup|rlookup|get_(context|entry|pte)|clear_entry|flush|inv(al)?(idate)?|sync|tlb|wait|poll|_rpm_|trace|print|dump|debug|\bto_|_show")
WRITE = re.compile(r"(raw_|__raw_)?(write[bwlq]|iowrite\d+(be|_rep)?|out_be\d+|out_le\d+)(_relaxed)?$|WRITE_ONCE$|hi_lo_writeq\w*$|lo_hi_writeq\w*$|regmap_(write|(update|set|clear)_bits)\w*$|SET_\w+$"
                   r"|pamu_\w*(config|enable|disable)\w*$|zpci_(un)?register_ioat$|zpci_dma_(init|exit)_device$|mtk_smi_larb_\w+$|arm_smccc_\w+$|pci_(en|dis)able_(ats|pri|pasid)$"
                   r"|clear_context_table|iommu_detach_\w+$|iommu_attach_\w+$")
LIST = re.compile(r"(h?list_(add|del|move)\w*|refcount_(inc|dec|add|sub)\w*|kref_(get|put)|atomic_(inc|dec|add|sub)\w*)$")
# Calls that an error path undoes something by
UNDO = re.compile(r"(^|_)(k?v?free|put|del|delete|remove|release|detach|disable|unprepare|destroy|clear|reset|undo|restore|unmap|unset|drop|block|shut(down)?|stop|dec|sub|exit|"
                  r"unregister|cleanup|unlock|revert|rollback|back|again|teardown|down|deassert|assert|attach|replace|erase|abort)(_|$|\d|s?_)")
DOWN = re.compile(r"(^|_)(detach|disable|del|remove|release|unregister|unset|clear|block|down|free|dec|off|stop|shutdown|tear_down|teardown|unmap|exit)(_|$)")
# (what takes, what gives back, name of it)
PAIRS = [(re.compile(a), re.compile(b), c) for a, b, c in (
    (r"pm_runtime_(get_sync|get|resume_and_get|get_noresume|get_if_in_use|get_if_active)$", r"_*pm_runtime_put\w*$", "a runtime PM reference"),
    (r"clk_(bulk_)?(prepare_enable|enable|prepare)$", r"clk_(bulk_)?(disable_unprepare|disable|unprepare)$", "a clock"),
    (r"(k[mzvc]+alloc\w*|kmemdup|kmem_cache_z?alloc\w*|v[mz]alloc)$", r"k?v?free\w*$|kmem_cache_free$|krealloc", "memory"),
    (r"(__get_free_pages?|get_zeroed_page|alloc_pages?(_node)?|iommu_alloc_page\w*)$", r"(__)?free_pages?\w*$|put_page$|iommu_(free|put)_page\w*$", "pages"),
    (r"dma_alloc_(coherent|wc|attrs|noncoherent)$", r"dma_free_\w+$", "DMA memory"),
    (r"dma_map_(single|page|sg)(_attrs)?$", r"dma_unmap_\w+$", "a DMA mapping"),
    (r"(ida|idr|xa)_alloc\w*$|ida_simple_get$", r"(ida_free|ida_simple_remove|idr_remove|xa_erase|xa_store|__xa_erase)$", "an id"),
    (r"alloc_io_pgtable_ops$", r"free_io_pgtable_ops$", "a page table"),
    (r"reset_control_deassert$", r"reset_control_assert$", "a reset line"),
    (r"pci_enable_(ats|pri|pasid|device)$", r"pci_disable_\w+$", "a PCI feature"),
    (r"(mutex|spin|raw_spin|read|write|down)_lock(_irq|_irqsave|_bh|_nested|_interruptible)*$|down_(read|write)$|rcu_read_lock$",
     r"(mutex|spin|raw_spin|read|write)_unlock\w*$|up_(read|write)$|rcu_read_unlock$", "a lock"),
    (r"(get_device|of_node_get|try_module_get|pci_dev_get|of_parse_phandle|pci_get_domain_bus_and_slot)$", r"(put_device|of_node_put|module_put|pci_dev_put)$", "a reference"))]

CALL = re.compile(r"(?<!\w)(\w+)\s*\(")
# What each attach writes anew, in a domain that nobody uses yet
RECOMPUTED = re.compile(r"pgsize_bitmap|geometry|aperture|flush_ops$|\bops$|->\w*cfg($|\.)")
LOCK = re.compile(r"(mutex|spin|raw_spin|read|write|rcu_read)_(un)?lock|(up|down)_(read|write)")
COUNT = re.compile(r"pm_runtime_get_if_(in_use|active)$")           # 1, 0 or an errno
WORD = re.compile(r"[A-Za-z_]\w*")
MAX = 200           # states at a statement


def close(text, i):
    """Where the bracket at i is closed"""
    depth = 0
    for m in re.compile(r"[(){}\[\]]").finditer(text, i):
        depth += 1 if m[0] in "({[" else -1
        if not depth:
            return m.start()
    return len(text) - 1


class Node:
    def __init__(self, kind, text="", at=0, then=None, other=None):
        self.kind, self.text, self.at, self.then, self.other = kind, " ".join(text.split()), at, then, other
        self.more = []          # of a switch: its cases


class Graph:
    """The statements of a body: entry is the first one, exit what the end of the body leads to"""
    def __init__(self, body):
        self.body, self.labels, self.nodes, self.ifs, self.switches, self.loops = body, {}, [], [], [], []
        tree, _ = self.block(0)
        self.exit = self.node("exit", at=len(body.rstrip()) - 1)
        self.entry = self.build(tree, self.exit, None, None, None)

    def node(self, *args, **kw):
        self.nodes.append(Node(*args, **kw))
        return self.nodes[-1]

    def block(self, i):
        res = []
        while True:
            i = self.skip(i)
            if i >= len(self.body):
                return ("block", res), i
            if self.body[i] == "}":
                return ("block", res), i + 1
            s, i = self.statement(i)
            res.append(s)

    def skip(self, i):
        while i < len(self.body) and (self.body[i].isspace() or self.body[i] == ";"):
            i += 1
        return i

    def semicolon(self, i):
        while i < len(self.body) and self.body[i] != ";":
            if self.body[i] in "({[":
                i = close(self.body, i)
            elif self.body[i] == "}":
                return i
            i += 1
        return i

    def sub(self, i):
        """A statement that belongs to another; an empty one is a block"""
        while i < len(self.body) and self.body[i].isspace():
            i += 1
        if self.body[i:i + 1] == ";":
            return ("block", []), i + 1
        return self.statement(i)

    def statement(self, i):
        b = self.body
        if b[i] == "{":
            return self.block(i + 1)
        m = WORD.match(b, i)
        word = m[0] if m else ""
        j = m.end() if m else i
        while j < len(b) and b[j].isspace():
            j += 1
        if word in ("if", "while", "switch", "for"):
            e = close(b, j)
            head = b[j + 1:e]
            s, k = self.sub(e + 1)
            if word == "if":
                n = self.skip(k) if b[k - 1] in "};" else k
                o = ("block", [])
                if re.match(r"else\b", b[n:]):
                    o, k = self.sub(n + 4)
                return ("if", head, i, s, o, b[e + 1:n], n, k), k
            if word == "switch":
                self.switches.append((i, k, head))
            else:
                self.loops.append((i, k))
            return ("switch" if word == "switch" else "loop", head, i, s,
                    word == "for" and bool(re.match(r"[^;]*;\s*;", head)) or word == "while" and head.strip() in ("1", "true"), word), k
        if word == "do":
            s, k = self.sub(j)
            k = b.find("while", k)
            e = close(b, b.find("(", k))
            return ("do", b[b.find("(", k) + 1:e], i, s), self.semicolon(e) + 1
        if word == "else":          # of an #ifdef that has two heads
            return self.sub(j)
        if word in ("case", "default"):
            e = i
            while e < len(b) and (b[e] != ":" or b[e + 1] == ":"):
                e += 1
            return ("case", word, i), e + 1
        if word in ("return", "goto", "break", "continue"):
            e = self.semicolon(i)
            return (word, b[j:e].strip(), i), e + 1
        if word and b[j:j + 1] == ":" and b[j:j + 2] != "::":
            return ("label", word, i), j + 1
        if word and b[j:j + 1] == "(":
            e = close(b, j)
            rest = b[e + 1:].lstrip()
            if rest[:1] == "{" or re.match(r"(if|for|while|switch|return|[a-z_]\w*\s*\()", rest) or re.match(r"for_each|list_for", word) and rest[:1] != ";":
                s, k = self.sub(e + 1)
                if re.match("scoped", word):
                    return ("block", [("expr", b[i:e + 1], i), s]), k
                self.loops.append((i, k))
                return ("loop", b[j + 1:e], i, s, False, word), k
        e = self.semicolon(i)
        return ("expr", b[i:e], i), max(e + 1, i + 1) if b[e:e + 1] == ";" else max(e, i + 1)

    def label(self, name):
        if name not in self.labels:
            self.labels[name] = self.node("pass")
        return self.labels[name]

    def build(self, s, nxt, brk, cont, cases):
        kind = s[0]
        if kind == "block":
            for t in reversed(s[1]):
                nxt = self.build(t, nxt, brk, cont, cases)
            return nxt
        if kind == "if":
            n = self.node("if", s[1], s[2], self.build(s[3], nxt, brk, cont, cases), self.build(s[4], nxt, brk, cont, cases))
            self.ifs.append((s[2], s[6], s[7], n))
            n.undoes = not s[4][1] and any(UNDO.search(c) for c in CALL.findall(s[5]))
            return n
        if kind == "loop":
            head = self.node("loop", s[1], s[2], other=None if s[4] else nxt)
            head.word = s[5]
            parts = s[1].split(";") if s[5] == "for" else []
            again = self.node("expr", parts[2], s[2], head) if len(parts) == 3 else head
            head.then = self.build(s[3], again, nxt, again, None)
            return self.node("expr", parts[0], s[2], head) if len(parts) == 3 else head
        if kind == "do":
            test = self.node("pass" if s[1].strip() in ("0", "false") else "loop", s[1], s[2], other=nxt)
            test.word = "do"
            test.then = nxt if test.kind == "pass" else None
            body = self.build(s[3], test, nxt, test, None)
            test.then = test.then or body
            return body
        if kind == "switch":
            head, found = self.node("switch", s[1], s[2]), []
            self.build(s[3], nxt, nxt, cont, found)
            head.more = [n for _, n in found] + ([] if "default" in [w for w, _ in found] else [nxt])
            return head
        if kind == "case":
            n = self.node("pass", at=s[2], then=nxt)
            if cases is not None:
                cases.append((s[1], n))
            return n
        if kind == "label":
            n = self.label(s[1])
            n.then, n.at = nxt, s[2]
            return n
        if kind == "goto":
            return self.node("pass", at=s[2], then=self.label(s[1]))
        if kind == "break":
            return brk or nxt
        if kind == "continue":
            return cont or nxt
        if kind == "return":
            return self.node("return", s[1], s[2])
        return self.node("expr", s[1], s[2], nxt)


def top(text, ops):
    """A text parted at the operators that no bracket holds"""
    res, depth, start, i = [], 0, 0, 0
    while i < len(text):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        for op in ops if not depth else ():
            if text.startswith(op, i):
                res.append(text[start:i].strip())
                start, i = i + len(op), i + len(op) - 1
                break
        i += 1
    return res + [text[start:].strip()]


def bare(text):
    text = text.strip()
    while True:
        m = re.match(r"(?:un)?likely\s*\(|\(|WARN(?:_ON)?(?:_ONCE)?\s*\(", text)
        if not m or close(text, m.end() - 1) != len(text) - 1:
            return text
        text = text[m.end():-1].strip()
        if m[0].startswith("WARN"):
            text = attach.split(text)[0].strip() if text else text


def assignment(text):
    """(declared, left side, operator, right side) of a statement"""
    depth = 0
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if c == "=" and not depth and text[i + 1:i + 2] != "=" and text[i - 1] not in "=!<>":
            left = re.sub(r"\s*([|&+*/^%-]|<<|>>)$", "", text[:i].rstrip())
            op = text[:i].rstrip()[len(left):].strip()
            m = re.search(r"[\w\]\)](?:\s*)$", left)
            lv = re.search(r"((?:\*\s*)?\(?[A-Za-z_#]\w*\)?(?:\s*(?:->|\.)\s*\w+|\[[^]]*\])*)\s*$", left)
            if not (m and lv):
                return None
            declared = bool(re.match(r"(const |static |struct |union |enum |unsigned )*\w+[ *]+", left[:lv.start()] + " ")) and left[:lv.start()].strip() not in ("", "*")
            return declared, lv[1].replace(" ", "").lstrip("*") if declared else lv[1].replace(" ", ""), op, text[i + 1:].strip()
    return None


class Way:
    """A way to a statement: what is known of variables, what stands changed or taken, and the step that has failed"""
    __slots__ = "env", "items", "fail"

    def __init__(self, env=(), items=frozenset(), fail=None):
        self.env, self.items, self.fail = env, items, fail

    def key(self):
        return self.env, self.items, self.fail

    def get(self, var):
        return dict(self.env).get(var)

    def put(self, var, value):
        env = {k: v for k, v in self.env if k != var and not k.startswith((var + "->", var + ".")) and not (
            k[:2] == "c:" and re.search(rf"\b{re.escape(var)}\b", k))}
        if value is not None:
            env[var] = value
        return Way(tuple(sorted(env.items())), self.items, None if self.fail and self.fail[0] == var and value != "n" else self.fail)

    def know(self, key, value):
        return Way(tuple(sorted(dict(self.env, **{key: value}).items())), self.items, self.fail)

    def failed(self, var, text, line, seen=True):
        return Way(self.env, self.items, self.fail or (var, text, line, seen))

    def has(self, items):
        return Way(self.env, frozenset(items), self.fail)


    def looked(self):
        """The failure has been looked at: what comes now is the way back"""
        return Way(self.env, self.items, self.fail and self.fail[:3] + (True,))

    def back(self):
        return self.fail and self.fail[3]


class Item:
    """Something changed ("set", "write", "call") or taken (the name in PAIRS) at a place"""
    __slots__ = "kind", "f", "line", "text", "key", "base"

    def __init__(self, *args):
        for k, v in zip(self.__slots__, args):
            setattr(self, k, v)

    def __hash__(self):
        return hash((self.kind, self.f.name, self.line, self.key))

    def __eq__(self, o):
        return (self.kind, self.f.name, self.line, self.key) == (o.kind, o.f.name, o.line, o.key)

    def taken(self):
        return self.kind not in ("set", "write", "call")


OPPOSITE = [tuple(p.split("/")) for p in ("enable/disable", "get/put", "alloc/free", "lock/unlock", "add/del", "add/remove", "attach/detach", "map/unmap", "set/clear",
                                            "assign/unassign", "register/unregister", "prepare/unprepare", "start/stop", "inc/dec", "init/exit", "init/destroy", "on/off")]


def opposite(a, b):
    return any(x in a and re.sub(rf"(?<![a-z]){x}(?![a-z])", y, a) == b for p in OPPOSITE for x, y in (p, p[::-1]))


class Summary:
    def __init__(self):
        self.fails, self.changes, self.sets, self.gives, self.takes = False, set(), set(), set(), set()
        self.dies = False
        self.null = self.error = False          # what a pointer is after a failure
        self.kept = set()
        self.left, self.lost, self.undo, self.calls = {}, {}, [], {}
        self.pointers = set()                   # calls whose errno becomes a pointer


class Analysis:
    """All functions that the attach callbacks of a driver reach"""
    def __init__(self, driver):
        self.driver, self.done, self.first, self.held = driver, {}, {}, {}

    def summary(self, name):
        if name not in self.done:
            self.done[name] = Summary()         # what recursion meets
            res = Summary()
            for f in self.driver.functions.get(name, ()):
                Walk(self, f, res).run()
            self.done[name] = res
        return self.done[name]

    def callees(self, f, name, before):
        d = self.driver
        if before.rstrip().endswith(("->", ".")):
            return d.fields.get(name, ())
        return (name,) if name in d.functions else ()

    @functools.cached_property
    def tested(self):
        """The fields that some condition of the driver asks for"""
        res = set()
        for fs in self.driver.functions.values():
            for f in fs:
                for m in re.finditer(r"\b(if|while|switch|WARN_ON|WARN_ON_ONCE)\s*\(|\?", f.body):
                    text = f.body[m.end():close(f.body, m.end() - 1)] if m[1] else f.body[max(0, m.start() - 60):m.start()].split(";")[-1]
                    res.update(re.findall(r"(?:->|\.)\s*(\w+)(?!\s*(?:->|\.|\w|\())", text))
        return res

    @functools.cache
    def reach(self, name):
        return self.driver.reach({name})

    @functools.cached_property
    def left(self):
        """{what is left changed or taken when an attach fails: the steps that failed then}"""
        res = {}
        for name in sorted(self.driver.callbacks):
            for item, fails in self.summary(name).left.items():
                res.setdefault(item, set()).update(self.summary(item.f.name).left.get(item) or fails)
        res.update({i: fails for i, fails in self.held.items() if i.f.name in self.driver.path})
        # Where all that is left of a function is what another one has done, there is the place
        for item in [i for i in res if i.kind == "call" and not DOWN.search(i.key)]:
            s = self.summary(item.key)
            kept = {i for i in s.kept if i.kind == "set" and i.f.name == item.key}
            if s.fails and kept and not any(i.f is item.f and i is not item and not i.taken() and not DOWN.search(i.key) for i in res):
                fails = res.pop(item)
                for i in kept:
                    res.setdefault(i, set()).update(fails)
        return res


DECLARATION = re.compile(r"(?:^|[;{}])\s*(?!return\b|goto\b|else\b)(?:const |struct |unsigned |union |enum |static )*[A-Za-z_]\w*\s+(\**[A-Za-z_]\w*\s*(?:[=,\[][^;]*)?)(?=;)")


def locals_of(body):
    res, at = set(), 0
    while True:
        m = DECLARATION.search(body, at)
        if not m:
            return res
        for part in attach.split(m[1]):
            v = re.match(r"[\s*]*([A-Za-z_]\w*)", part)
            if v:
                res.add(v[1])
        at = m.end()


class Walk:
    def __init__(self, analysis, f, summary):
        self.a, self.f, self.s = analysis, f, summary
        self.pointer = "*" in f.type
        self.plain = bool(re.search(r"\b(int|void)$", f.type))
        self.int = not self.pointer and bool(re.search(r"\b(int|long|ssize_t|s32)\b", f.type))
        self.locals = locals_of(f.body)
        self.fresh = set(re.findall(r"\b(\w+)\s*=\s*(?:\([^()]*\)\s*)?\w*alloc\w*\s*\(", f.body)) | set(re.findall(r"\b(\w+)\s*=\s*&(?:%s)\b(?!->)" % "|".join(self.locals or {"-"}), f.body))
        self.params = {p: n for n, (_, p) in enumerate(f.params)}
        for v, p in re.findall(r"\b(\w+)\s*=\s*&?\(?(\w+)\)?(?:(?:->|\.)\w+)*\s*;", f.body):
            if p in self.params and v in self.locals:
                self.params.setdefault(v, self.params[p])
        self.conds, self.firsts = {}, {}
        # an object whose last field says that the others count: if (x->done) return; ... x->done = true
        m = re.match(r"[^{}]*?\bif\s*\((\w+)->(\w+)\)\s*(?:goto|return)", f.body)
        self.latch = m[1] if m and re.search(rf"\b{m[1]}->{m[2]}\s*=\s*(true|1);", f.body) else None

    def line(self, at):
        return self.f.line + self.f.body[:at].count("\n")

    def run(self):
        g = Graph(self.f.body)
        for n in g.nodes:
            if n.kind == "if":
                for c in top(n.text.replace("!", " "), ("&&", "||")):
                    c = " ".join(bare(c).split())
                    self.conds[c] = self.conds.get(c, 0) + 1
        todo, seen = [(g.entry, Way())], {}
        while todo:
            n, w = todo.pop()
            if n is None:
                continue
            had = seen.setdefault(id(n), set())
            if w.key() in had or len(had) > MAX:
                continue
            had.add(w.key())
            for m, v in self.step(n, w):
                todo.append((m, v))

    def step(self, n, w):
        if n.kind == "pass":
            return [(n.then, w)]
        if n.kind == "exit":
            self.leave(n, w, False)
            return []
        if n.kind == "return":
            for v, failed in self.returned(n, w):
                self.leave(n, v, failed)
            return []
        if n.kind == "expr":
            return [(n.then, v) for v in self.expr(n.text, n.at, w)]
        if n.kind == "switch":
            return [(m, self.branch(m, n, v)) for v in self.expr(n.text, n.at, w) for m in n.more]
        if n.kind == "loop":
            ways = [w]
            mark = f"loop:{n.at}"
            res = []
            for v in ways:
                if v.back() and n.other:
                    back = v.know(mark, 1).know("#others", 1) if re.search(r"\w--|--\w", n.text) else v.know(mark, 1)
                    res += [(n.other, v.put("#others", None))] if v.get(mark) else [(n.then, back)]
                elif n.word in ("while", "do"):
                    for t, x in self.test(n.text, n.at, v):
                        res.append((n.then if t else n.other, x))
                else:
                    res += [(n.then, v), (n.other, v)]
            return res
        # if
        res = []
        ways = self.test(n.text, n.at, w)
        if w.back() and len({t for t, _ in ways}) > 1 and n.undoes:
            ways = [(t, v) for t, v in ways if t]
        elif w.back() and len({t for t, _ in ways}) > 1 and n.then.kind == "loop" and w.get(f"loop:{n.then.at}"):
            ways = [(t, v) for t, v in ways if not t]       # not the continue of a loop that undoes
        for t, v in ways:
            m = n.then if t else n.other
            res.append((m, self.branch(m, n, v)))
        return res

    def branch(self, m, n, w):
        """A way into a branch: a failure, if all that comes then is one"""
        if not w.back() and self.doomed(m, frozenset(k for k, x in w.env if x == "n" and not (w.fail and k == w.fail[0])), set()):
            w = w.failed(None, n.text, self.line(n.at)).looked()
            m = re.search(r"dma_mapping_error\([^,]*, *(.*)\)", n.text)
            if m:
                w = w.has(i for i in w.items if i.text != m[1])
            # what has just bound the domain to this IOMMU is no domain of another one
            m = re.fullmatch(r".*(?:->|\.)(\w+) != [\w>.-]+", n.text)
            if m:
                w = w.has(i for i in w.items if not (i.kind == "call" and m[1] in self.a.summary(i.key).sets))
        return w

    def doomed(self, n, neg, seen):
        """Whether all ways from here end in an error"""
        while True:
            if n is None or (id(n), neg) in seen:
                return n is not None
            if len(seen) > 300:
                return False
            seen.add((id(n), neg))
            if n.kind == "return":
                return bool(re.match(r"-E[A-Z]|ERR_PTR\(|ERR_CAST\(", n.text) or n.text in neg or self.pointer and n.text == "NULL")
            if n.kind == "exit":
                return False
            if n.kind == "expr":
                a = assignment(n.text)
                if a and re.fullmatch(r"\w+", a[1]):
                    neg = neg | {a[1]} if re.match(r"-E[A-Z]|ERR_PTR\(-", a[3]) or a[3] in neg else neg - {a[1]}
                n = n.then
            elif n.kind == "pass":
                n = n.then
            elif n.kind == "switch":
                return all(self.doomed(m, neg, seen) for m in n.more)
            else:
                m = re.fullmatch(r"(!?)\s*(\w+)( < 0| != 0)?", bare(n.text))
                if m and m[2] in neg and n.kind == "if":
                    n = n.other if m[1] else n.then
                    continue
                if n.other is not None and not self.doomed(n.other, neg, seen):
                    return False
                n = n.then

    def returned(self, n, w):
        t = bare(n.text)
        if not t or re.fullmatch(r"0|NULL|true|false|\d+", t):
            return [(w, self.pointer and t == "NULL" and bool(w.fail))]
        if re.match(r"-E[A-Z]|ERR_PTR\(-E", t):
            return [(w.failed(None, "return " + t, self.line(n.at)), True)]
        m = re.match(r"(?:PTR_ERR|ERR_PTR|ERR_CAST|PTR_ERR_OR_ZERO)?\(?(\w+(?:->\w+)*)\)?\s*($|\?|[&<>!=])", t)
        v = m and w.get(m[1])
        if t.startswith("ERR_PTR") and w.fail and m and w.fail[0] == m[1]:
            self.s.pointers.add(w.fail[1:3])
        if self.int and not v and not (m and w.fail and w.fail[0] == m[1]) and re.search(r"\?.*-E[A-Z]", t):
            return [(w, False), (w.failed(None, "return " + t, self.line(n.at)), True)]
        if m and m[1] not in self.a.driver.functions:
            return [(w, v == "n" or v is None and bool(w.fail) and w.fail[0] == m[1])]
        m = re.match(r"\w+\s*\(", t)
        if m and w.fail and any(w.get(x.strip()) == "n" for x in attach.arguments(t, m.end())):    # a function that translates it
            return [(w, True)]
        res = []
        for v in self.expr("#return_value = " + t, n.at, w):
            res.append((v, v.get("#return_value") == "n"))
        return res

    def leave(self, n, w, failed):
        s = self.s
        if not failed and self.plain and w.fail and not w.get("#told") and w.fail[1].endswith("()") and (w.fail[0] is None or w.get(w.fail[0]) == "n"):
            s.lost.setdefault(w.fail[1:3], self.line(n.at))
        if failed:
            s.fails = True
            self.locked(w, self.line(n.at))
            s.null |= self.pointer and n.text == "NULL"
            s.error |= not self.pointer or n.text != "NULL"
            if self.int or self.pointer:
                for i in w.items:
                    s.left.setdefault(i, set()).add(w.fail[1:3] + (self.f.file,) if w.fail else ("", 0, ""))
            return
        self.locked(w, self.line(n.at))
        for i in w.items:
            if i.taken():
                s.takes.add((i.kind, i.key))
            else:
                s.changes.add(i.base)
                s.kept.add(i)
                s.sets.add(i.key)

    def locked(self, w, line):
        """A lock that is held at the end, by a function that is not there to lock"""
        for i in w.items:
            if i.kind == "a lock" and i.f is self.f and not re.search(r"lock|get|begin|start|enter|hold|acquire|next", self.f.name):
                self.a.held.setdefault(i, set()).add((f"{self.f.name}()", line, self.f.file))

    def dies(self, items, text, line):
        """The machine goes down here"""
        self.s.dies = True
        for i in items:
            if not i.taken():
                self.s.left.setdefault(i, set()).add((text, line, self.f.file))

    def expr(self, text, at, w):
        """The ways on after an expression"""
        a = assignment(text)
        ways = [w]
        right = a[3] if a else text
        head = re.match(r"(?:\([\w\s\*]+\)\s*)?((?:\w+(?:->|\.))*)(\w+)\s*\(", right)
        main = None
        if head and head[2] not in attach.KEYWORDS and close(right, head.end() - 1) == len(right) - 1:
            main = head[2]
        calls = []
        for m in CALL.finditer(text):
            if m[1] not in attach.KEYWORDS:
                calls.append((m[1], text[:m.start()], attach.arguments(text, m.end())))
        if text.startswith("BUG_ON(") and len(calls) > 1 and (FAIL.match(calls[1][0]) or calls[1][0] in self.a.driver.functions and self.a.summary(calls[1][0]).fails):
            self.dies(w.items, calls[1][0] + "()", self.line(at))
        for name, before, args in reversed(calls):          # inner ones first
            nxt = []
            for v in ways:
                nxt += self.call(name, before, args, at, v, a if name == main else None)
            ways = nxt
        if not a:
            m = re.match(r"(.*?)(\+\+|--)$", text) or re.match(r"()(\+\+|--)(.*)$", text)
            if m and re.search(r"->|^\*", m[1] or m[m.lastindex]):
                return [self.set(re.sub(r"\s", "", m[1] or m[m.lastindex]), at, v, text) for v in ways]
            if m and m[2] == "++":
                return [v.put(m[1] or m[3], "p") if v.get(m[1] or m[3]) == "0" else v for v in ways]
            return ways
        declared, left, op, right = a
        res = []
        for v in ways:
            kind, was = v.get("#"), v.get(left)
            if main and kind is not None:             # a call has forked
                if op:
                    v = v.know(left, "n") if kind == "n" else v
                else:
                    v = v.put(left, {"ok": "0" if ERRVAR.match(left) else "+", "n": "n", "null": "0", "p": "p"}[v.get("#")])
                v = v.put("#", None)
            elif not op:
                t = bare(right)
                if re.match(r"-E[A-Z]", t) or re.match(r"ERR_PTR\(-E", t):
                    v = v.put(left, "n")
                elif t in ("1", "true"):
                    v = v.put(left, "p")
                elif t in ("0", "NULL", "false"):
                    v = v.put(left, "0")
                elif re.fullmatch(r"(PTR_ERR|ERR_PTR|ERR_CAST)?\(?[\w>.-]+\)?", t):
                    inner = re.sub(r"^(PTR_ERR|ERR_PTR|ERR_CAST)\(|\)$", "", t)
                    x = v.get(inner)
                    v2 = v.put(left, x)
                    if v.fail and v.fail[0] == inner and inner != left:
                        if t.startswith("ERR_PTR"):
                            self.s.pointers.add(v.fail[1:3])
                        v2 = Way(v2.env, v2.items, (left,) + v.fail[1:])
                    v = v2
                else:
                    v = v.put(left, None)
            if not declared and re.search(r"->|^\*|^\(\*", left) and kind != "null":
                v = self.set(left, at, v, text, was)
            # what was taken goes where others find it
            if re.search(r"->|^\*", left) or not declared and left not in self.locals:
                v = v.has(i for i in v.items if not (i.taken() and re.fullmatch(r"\w+", i.key) and re.search(rf"\b{i.key}\b", right)))
            res.append(v)
        return res

    def set(self, left, at, w, text, was=None):
        path = re.sub(r"\[[^]]*\]|[()*&]", "", left)
        parts = re.split(r"->|\.", path)
        base, field = parts[0], parts[-1] if len(parts) > 1 else "*" + parts[0]
        self.s.sets.add(field)
        if w.back():            # one field of an object taken back will do: it says what the others mean
            whole = left[:len(left) - len(field)] if left.endswith(field) else left
            return w.has(i for i in w.items if not (i.kind == "set" and (i.key == field or field in i.text or i.text.startswith(whole))
                                                    or i.kind == "call" and not DOWN.search(i.key) and field in self.a.summary(i.key).sets))
        value = assignment(text)
        if base in self.fresh or base == self.latch or field not in self.a.tested or RECOMPUTED.search(path) or value and value[3] in ("true", "1") and was == "0":
            return w            # a flag that says once and for all
        item = Item("set", self.f, self.line(at), left, field, self.params.get(base))
        return w.has({i for i in w.items if not (i.kind == "set" and i.key == field)} | {item})

    def local(self, arg):
        """Whether an argument is this function's own"""
        m = re.match(r"\s*(&?)\(?(\w+)(\s*->)?", arg)
        return bool(m and (m[2] == "NULL" or m[2] in self.fresh or m[1] and not m[3] and m[2] in self.locals
                           or re.fullmatch(r"\w+", arg.strip()) and re.search(rf"\b{m[2]}\s*\[", self.f.body) and m[2] in self.locals))

    def call(self, name, before, args, at, w, a):
        if re.match(r"(dev|pr)_(err|warn|info|dbg)|WARN|BUG|IS_ERR|PTR_ERR|ERR_PTR|container_of|lockdep|trace_", name):
            return [w]
        place = re.compile(rf"\b{name}\s*\(").search(self.f.body, at)
        line, text = self.line(place.start() if place else at), f"{name}()"
        names = self.a.callees(self.f, name, before)
        self.firsts[name, line] = args[0].strip() if args else ""
        sums = [(g, self.a.summary(g)) for g in names if g != self.f.name]
        undo = bool(UNDO.search(name)) and not LOCK.match(name)
        items = set(w.items)
        # what is given back
        for kind in {k for _, s in sums for k in s.gives} | {c for _, b, c in PAIRS if b.match(name) and not names}:
            have = {i for i in items if i.kind == kind}
            same = {i for i in have if i.key == (args[0].strip() if args else "")}
            if not have:            # it is the caller's
                self.s.gives.add(kind)
            items -= same if same or kind == "a lock" and not names else have
        # what an argument hands over
        if not names and not re.match(r"memset|memcpy|dma_map|virt_to|__pa|min|max|sizeof|snprintf|strscpy|dma_mapping_error|PTR_|IS_|set_|sg_", name):
            items = {i for i in items if not (i.taken() and re.fullmatch(r"\w+", i.key) and i.key not in self.params
                                              and any(re.fullmatch(rf"\s*&?{i.key}(->.*)?\s*", x, re.S) for x in args))}
        if names:
            items = {i for i in items if not (i.taken() and i.kind in ("memory", "pages", "a page table", "DMA memory") and any(re.fullmatch(rf"\s*&?{i.key}(->.*)?\s*", x, re.S) for x in args))}
        sets = {k for _, s in sums for k in s.sets}
        if undo:                # what is freed counts as written
            gone = {re.split(r"->|\.", re.sub(r"\[.*?\]", "", x))[-1].strip() for x in args if "->" in x}
            self.s.sets |= gone
            sets |= gone
        self.s.calls.setdefault((name, line), set()).add(bool(w.back()))
        if w.back() and a and a[1] == w.fail[0] and not a[2]:
            if w.fail[:3] == (a[1], text, line) and not re.search(r"\b(EAGAIN|EINTR|retry|EPROBE)", self.f.body):
                self.s.lost.setdefault((text, line), line)      # by the next turn of a loop
            w = Way(w.env, w.items, None)
        if w.back():
            self.s.undo.append((name, args, sets, sums, undo))
            if undo and self.f.type.endswith("void") and any(x.changes for _, x in sums):       # it does without
                w = w.know("#told", 1)
            return [w.has(i for i in items if w.get("#others") and i.f is not self.f or not self.undoes(i, name, args, sets, sums, undo))]
        before, items = items, {i for i in items if not (i.kind == "call" and not DOWN.search(i.key) and opposite(i.key, name))}
        if any(s.dies for _, s in sums):
            self.dies(items | {i for _, s in sums if s.dies for i in s.left}, text, line)
        # An error that is not looked at leaves what it leaves
        if not a and not HARMLESS.search(name):
            for g, s in sums:
                for i, x in s.left.items() if s.fails and not s.dies else ():
                    if not (i.base is not None and 0 <= i.base < len(args) and self.local(args[i.base])):
                        self.s.left.setdefault(i, set()).update(x)
        fails = any(s.fails for _, s in sums) or not names and bool(FAIL.match(name)) or bool(a and ERRVAR.match(a[1].split("->")[-1]) and not names and a[1][0] != "#" and not re.match(r"min|max|read|\w*readl", name))
        added = set()
        changes = [b for _, s in sums for b in s.changes if not (b is not None and b >= 0 and b < len(args) and self.local(args[b]))]
        if not HARMLESS.search(name) and len(before) == len(items):
            if changes:
                b = {self.params.get(args[b].strip()) if b is not None and 0 <= b < len(args) else None for b in changes}
                added.add(Item("call", self.f, line, text, name, None if None in b else min(b)))
            elif not names and WRITE.match(name):
                added.add(Item("write", self.f, line, text, name, None))
            elif not names and LIST.match(name):
                added.add(Item("write", self.f, line, text, name, None))
        for p, _, c in PAIRS if not names else ():
            if p.match(name):
                key = a[1] if a and re.fullmatch(r"\w+", a[1]) and c in ("memory", "pages", "DMA memory", "a DMA mapping", "a page table") else args[0].strip() if args else ""
                if c in ("memory", "pages", "DMA memory", "a page table", "a DMA mapping") and not (a and re.fullmatch(r"\w+", a[1])):
                    continue
                added.add(Item(c, self.f, line, text, key, None))
        for _, s in sums:
            for c, key in s.takes:
                if c in ("a runtime PM reference", "a clock", "a reset line"):
                    added.add(Item(c, self.f, line, text, name, None))
        good = w.has(items | added)
        if a and sums and all(re.search(r"\bbool$", f.type) for g in names for f in self.a.driver.functions.get(g, ())):
            return [good.know("#", "p"), w.has(items).know("#", "null")]
        alloc = not names and ALLOC.match(name)
        if a and a[1] and (fails or alloc) and (re.fullmatch(r"[#\w>.-]+", a[1])):
            bad = {i for _, s in sums for i in s.left if not (i.base is not None and i.base >= 0 and i.base < len(args) and self.local(args[i.base]))}
            if alloc:
                return [good.know("#", "p"), w.has(items).know("#", "null")]
            still = {i for i in added if i.kind == "a runtime PM reference" and name == "pm_runtime_get_sync"}
            for _, s in sums:           # what the callee takes back on its own way out
                for u in s.undo:
                    items = {i for i in items if not ((i.kind == "set" or opposite(i.key, u[0])) and self.undoes(i, *u))}
            if w.fail and w.fail[:3] == (a[1], text, line) and not a[2] and not re.search(r"\b(EAGAIN|EINTR|retry|EPROBE)", self.f.body):
                self.s.lost.setdefault((text, line), line)      # the next turn of a loop writes over it
            null = [w.has(items).failed(a[1], text, line).know("#", "null")] if any(s.null for _, s in sums) else []
            if null and not any(s.error for _, s in sums):
                return [good.know("#", "p")] + null
            if COUNT.match(name):
                null = [w.has(items).know("#", "null")]
            pointer = any("*" in f.type for g in names for f in self.a.driver.functions.get(g, ()))
            return null + [good.know("#", "p" if null or pointer else "ok"), Way(w.env, frozenset(items | bad | still), None).failed(a[1], text, line, False).know("#", "n")]
        if a and sums and all(re.search(r"\b(int|long)$", f.type) for g in names for f in self.a.driver.functions.get(g, ())):
            return [good.know("#", "ok")]
        return [good]

    def constant(self, text):
        """Whether a condition is the same all through the function"""
        if text not in self.conds or self.conds[text] < 2 and not re.search(r"\b(for\w*|while|do)\b", self.f.body):
            return False
        return all(len(re.findall(rf"(?<![\w>.]){v}\s*(?:=(?!=)|\+\+|--)", self.f.body)) < 2 for v in re.findall(r"(?<![\w>.])[a-z_]\w*", text)) and "iter" not in text

    def undoes(self, i, name, args, sets, sums, undo):
        """Whether a call after a failure takes back what stands changed"""
        if i.kind == "write" and i.f is self.f and i.key == name:
            return True
        if i.taken():
            return False
        if LOCK.match(name) or re.search(r"_put|^put_|kfree", name) and i.kind != "set" or HARMLESS.search(name):
            return False
        if i.kind == "set":
            return i.key in sets or (undo or re.match("mem(set|cpy)", name)) and any(
                re.fullmatch(rf"&?({re.escape(re.split('->|[.]', i.text)[0].lstrip('*('))}|{re.escape(i.text)})", x.strip()) for x in args)
        if i.kind == "call" and i.key == name and i.f is self.f and re.match(r"&\w+$", args[0].strip() if args else "") and (
                args[0].strip() == self.firsts.get((name, i.line))):
            return False        # the same once more
        if i.kind != "set" and i.f.name != self.f.name and i.f.name in self.a.reach(name):
            return True
        if DOWN.search(i.key):
            return opposite(i.key, name) or not DOWN.search(name) and (any(s.changes for _, s in sums) or bool(re.search(r"attach|enable|register|restore|add", name)))
        return undo or i.key == name

    def test(self, text, at, w):
        """[(true or false, the way then)]"""
        t = bare(text)
        for op, settled in (("||", True), ("&&", False)):
            parts = top(t, (op,))
            if len(parts) > 1:
                res, ways = [], [w]
                for p in parts:
                    more = []
                    for v in ways:
                        for b, x in self.test(p, at, v):
                            if bool(b) == settled:
                                res.append((settled, x))
                            else:
                                more.append(x)
                    ways = more
                return res + [(not settled, x) for x in ways]
        if t.startswith("!") and not t.startswith("!="):
            return [(not b, x) for b, x in self.test(t[1:], at, w)]
        m = re.fullmatch(r"PTR_ERR\((\w+)\) ([!=])= -ENOENT", t)
        if m and w.fail and w.fail[0] == m[1]:      # what is not there is no error
            return [(m[2] == "!", w.looked()), (m[2] == "=", Way(w.env, w.items))]
        m = re.fullmatch(r"(\w+)\s*([!=])=\s*-E[A-Z]\w*", t)
        if m and w.get(m[1]) in ("0", "p"):
            return [(m[2] == "!", w)]
        if m and w.get(m[1]) == "n":        # it tells errnos apart
            return [(m[2] != "!", w.looked().know("#told", 1)), (m[2] == "!", w.looked())]
        m = re.fullmatch(r"(.*?)\s*(<|<=|!=|==|>|>=)\s*(0|NULL)", t)
        op, inner = (m[2], bare(m[1])) if m else ("", t)
        m = re.fullmatch(r"(IS_ERR|IS_ERR_OR_NULL|IS_ERR_VALUE)\s*\((.*)\)", inner)
        if m:
            op, inner = "err", bare(m[2])
        a = assignment(inner)
        if a:
            return [r for v in self.expr(inner, at, w) for r in self.truth(a[1], op, v, at, inner)]
        if re.fullmatch(r"[A-Za-z_][\w>.-]*", inner):
            return self.truth(inner, op, w, at, t)
        m = re.match(r"((?:\w+(?:->|\.))*)(\w+)\s*\(", inner)
        if m and not op and close(inner, m.end() - 1) == len(inner) - 1:       # a function that judges an error
            for x in attach.arguments(inner, m.end()):
                if ERRVAR.match(x.strip()) and w.get(x.strip()) in ("0", "n"):
                    return self.truth(x.strip(), "", w, at, t)
        kinds = []
        if m and close(inner, m.end() - 1) == len(inner) - 1 and m[2] not in attach.KEYWORDS:
            names = self.a.callees(self.f, m[2], m[1])
            kinds = [f.type for n in names for f in self.a.driver.functions.get(n, ())]
            if any(self.a.summary(n).fails for n in names if n != self.f.name) and not any("bool" in k or "*" in k for k in kinds) or FAIL.match(m[2]) and op != ">":
                res = []
                for v in self.expr("#error_code = " + inner, at, w):
                    x = v.get("#error_code")
                    if v.fail and v.fail[0] == "#error_code":
                        v = Way(v.env, v.items, (None,) + v.fail[1:])
                    res += [(b, y.put("#error_code", None)) for b, y in self.truth("#error_code", op, v, at, t)]
                return res
            if kinds and all(re.search(r"\bbool$", k) for k in kinds):
                res = []
                for v in self.expr("#truth_value = " + inner, at, w):
                    res += [(b, y.put("#truth_value", None)) for b, y in self.truth("#truth_value", op, v, at, t)]
                return res
        res = []
        key = "c:" + " ".join(t.split())
        # A pointer, or whether something was taken: nothing is there if it is NULL or false
        whole = m and not op and close(inner, m.end() - 1) == len(inner) - 1
        none = whole and (kinds and all("*" in k for k in kinds) or not kinds and any(x.match(m[2]) for x, _, _ in PAIRS))
        for v in self.expr(t, at, w):
            x = v.get(key)
            for b in (True, False) if x is None else (x,):
                if none and not b:
                    v = Way(v.env, w.items, v.fail)
                res.append((b, v.know(key, b) if self.conds.get(key[2:], 0) > 1 or self.constant(key[2:]) else v))
        return res

    def truth(self, var, op, w, at, text):
        val = w.get(var)
        error = bool(ERRVAR.match(var))
        known = {"": {"0": False, "n": True, "p": True}, "!=": {"0": False, "n": True, "p": True}, "==": {"0": True, "n": False, "p": False},
                 "<": {"0": False, "n": True, "p": False}, ">=": {"0": True, "n": False, "p": True}, ">": {"0": False, "n": False, "p": True},
                 "<=": {"0": True, "n": True, "p": False}, "err": {"0": False, "n": True, "p": False}}[op]
        if val == "+" and op in ("<", ">=", "err"):
            return [(op == ">=", w)]
        if val in known:
            return [(known[val], w.looked() if w.fail and w.fail[0] == var else w)]
        yes = "n" if op in ("<", "err") or error and op in ("", "!=") else "0" if op == "==" else "p"
        no = {"": "0", "!=": "0", "==": "n" if error else "p"}.get(op)
        if op in (">=", "<=", ">"):
            yes = no = None
        res = []
        for b, x in ((True, yes), (False, no)):
            v = w.know(var, x) if x else w
            if x == "n" and not v.fail:
                v = v.failed(var, text, self.line(at))
            res.append((b, v))
        return res


@functools.cache
def for_files(files):
    return Analysis(attach.driver(files[0]) if files[0].endswith(".c") else attach.Driver(list(files)))


def analysis(driver):
    return for_files(tuple(driver.files))


def step(fail):
    text, line = fail[:2]
    return f"{text} (line {line})" if text else "a later step"


def names(fails, n=2):
    known = sorted(fails, key=lambda x: x[1])
    return ", ".join(map(step, known[:n])) + (f" or one of {len(known) - n} more" if len(known) > n else "")


@functools.cache
def left(file, taken):
    """{line: (function, what is left changed or taken there by a failed attach, the steps that fail)}"""
    groups = {}
    for i, fails in analysis(attach.driver(file)).left.items():
        if i.f.file == file and i.taken() == taken:
            group = groups.setdefault((i.f.name, i.kind if taken else bool(DOWN.search(i.key))), ([], set()))
            group[0].append(i)
            group[1].update(fails)
    res = {}
    for (name, _), (items, fails) in groups.items():
        items.sort(key=lambda i: i.line)
        res.setdefault(items[0].line, (name, items, fails))
    return res


def changed(p):
    """What is changed at a position and stays so after a failure: [(position, message)]"""
    f = attach.on_path(p)
    name, items, fails = f and left(p.file, False).get(int(p.line)) or ("", [], ())
    if not f or f.name != name:
        return []
    more = f" and {len(items) - 1} more to line {items[-1].line}" if len(items) > 1 else ""
    what = f"sets {items[0].text}" if items[0].kind == "set" else f"does {items[0].text}"
    return attach.finding("order", f, p, f"{what}{more} before {names(fails)} can fail, and nothing undoes it; check first, or undo it")


def taken(p):
    """What is taken at a position and not given back after a failure"""
    f = attach.on_path(p)
    name, items, fails = f and left(p.file, True).get(int(p.line)) or ("", [], ())
    if not f or f.name != name:
        return []
    return attach.finding("leak", f, p, f"does not give back {items[0].kind} of {items[0].text} where {names(fails)} {'ends' if items[0].kind == 'a lock' else 'fails'}; do so there")


@functools.cache
def source(file):
    with open(file, encoding="utf-8", errors="replace") as f:
        return f.read().split("\n")


BUG = re.compile(r"build_")         # fails only for what nobody asks of it
OPTIONAL = re.compile(r"pci_(enable|reset)_(ats|pri|pasid)$")


def called(p):
    """The function that is called at a position"""
    m = WORD.match(source(p.file)[int(p.line) - 1], int(p.column))
    return m[0] if m else ""


def fails(a, name, member):
    """Whether a call returns an errno that says something"""
    if member and re.fullmatch(attach.CALLBACKS, name):
        return True
    if not member:
        name = a.driver.macros.get(name, name)
    found = a.driver.fields.get(name, ()) if member else [name] if name in a.driver.functions else []
    if not found:
        return not member and bool(FAIL.match(name)) and not name.startswith("xa_err")
    return any(a.summary(g).fails and h.type.split()[-1:] == ["int"] and not BUG.search(g) for g in found for h in a.driver.functions[g])


CORE = re.compile(r"iommu_(detach_(device|group)|\w+_release_dma|probe_device$|group_store_type$|deferred_attach$|bus_notifier$)|bus_iommu_probe$|pci_dev_reset_iommu")


@functools.cache
def core(driver):
    """What else in the core attaches, to domains that must not fail"""
    if not any(f.endswith("drivers/iommu/iommu.c") for f in driver.files):
        return set()
    return driver.reach({n for n in driver.functions if CORE.match(n)}, lambda f, at: "map" not in f.name)


def on_path(p):
    d = attach.driver(p.file)
    return attach.on_path(p) or p.current_element in core(d) and next(
        (f for f in d.functions[p.current_element] if f.file == p.file), None)


def dropped(p):
    """What is wrong with a call whose result is not looked at"""
    f, name = on_path(p), called(p)
    if not f or not name:
        return []
    a = analysis(attach.driver(f.file))
    member = source(f.file)[int(p.line) - 1][:int(p.column)].rstrip().endswith(("->", "."))
    if not fails(a, name, member):
        return []
    if a.first.setdefault((f.name, name), int(p.line)) < int(p.line):
        return []               # once for each function
    if a.summary(f.name).calls.get((name, int(p.line))) == {True}:
        return attach.finding("swallowed", f, p, f"drops the error of {name}() on the way back from a failure; say what the device is in then")
    return attach.finding("swallowed", f, p, f"drops the error of {name}(), and the attach goes on to succeed; pass it on")


def lost(p):
    """What is wrong with a call whose error is known and not returned"""
    f, name = on_path(p), called(p)
    if not f or not name:
        return []
    line, a = int(p.line), analysis(attach.driver(f.file))
    if returns(f):
        return []
    at = a.summary(f.name).lost.get((name + "()", line))
    if not at or not fails(a, name, name not in a.driver.functions and name in a.driver.fields):
        return []
    if OPTIONAL.match(name) and not re.search("err|warn|WARN", source(f.file)[line]):
        return []               # what a device can do without
    return attach.finding("swallowed", f, p, f"makes a success of an error of {name}(), at line {at}; pass it on")


def returns(f):
    """Whether a function is called only on the way back from a failure"""
    a = analysis(attach.driver(f.file))
    how = [h for g in a.driver.path for (name, _), h in a.summary(g).calls.items() if name == f.name]
    return bool(how) and set().union(*how) == {True}


def mute(p):
    """What is wrong with a print of an error that nobody else learns of"""
    f = on_path(p)
    if not f or not re.search(r"\bvoid$", f.type) or "dump" in f.name or returns(f):
        return []
    if analysis(attach.driver(f.file)).summary(f.name).lost:        # that says it
        return []
    if not re.search(r"fail|time.?out|timed out|unable|cannot|can't|not found", "".join(source(f.file)[int(p.line) - 1:int(p.line) + 1]), re.I):
        return []
    return attach.finding("swallowed", f, p, "prints an error and returns nothing, so the attach goes on to succeed; return an errno")


def unchecked(p):
    """What is wrong with an allocation that nobody looks at"""
    f, name = on_path(p), called(p)
    if not f or not ALLOC.match(name):
        return []
    text, at = f.body, attach.offset(f, p) + int(p.column)
    m = re.search(r"(\w+)\s*=\s*(?:\([^()]*\)\s*)?$", text[:at])
    if not m or text[:m.start()].rstrip().endswith(("->", ".", "*")):
        return []
    use = re.search(rf"\b{m[1]}\b(->)?", text[text.find(";", at):])
    if not (use and use[1]) and re.search(rf"(!|if \(|[(&|] ?|ERR(_OR_NULL)?\(){m[1]}\b(?!->|\.)|\breturn {m[1]};|\b{m[1]} (\?|[!=]=)|, {m[1]}\)", text[at:]):
        return []
    return attach.finding("swallowed", f, p, f"does not look whether {name}() has failed; return -ENOMEM then")


def polite(p, *exprs):
    """What is wrong with a 0 for a domain that is not that of the device"""
    f = attach.on_path(p)
    if not f or not f.type.endswith("int"):
        return []
    d = attach.driver(f.file)
    if any(re.match(r"[-\d]|[A-Z_0-9]+$|NULL", e) for e in exprs) or set().union(*(d.of(f, e) for e in exprs)) != {"domain", "dev"}:
        return []
    return attach.finding("swallowed", f, p, "returns 0 for a domain that the device is not in; return -EINVAL")


MISFIT = re.compile(r"-(EINVAL|EBUSY|EEXIST|EXDEV|ENXIO|EFAULT|EOPNOTSUPP|EMEDIUMTYPE|ERANGE)\b")


def loud(p):
    """What is wrong with a print where another domain is tried"""
    f, name = attach.on_path(p), called(p)
    if not f or not name:
        return []
    d, g, at = attach.driver(f.file), Graph(f.body), attach.offset(f, p) + int(p.column)
    if int(p.line) == f.line:
        return []
    inner = [x for x in g.ifs if x[0] <= at < x[2]]
    if not inner:
        return []
    start, middle, end, n = max(inner, key=lambda x: x[0])
    branch = f.body[start:middle] if at < middle else f.body[middle:end]
    walk = Walk(analysis(d), f, Summary())
    if not walk.doomed(n.then if at < middle else n.other, frozenset(re.findall(r"(\w+)\s*=\s*-E[A-Z]", f.body[:start])), set()):
        return []
    of = d.of(f, n.text).union(*(d.of(f, x[2]) for x in g.switches if x[0] <= start < x[1]))
    errno = MISFIT.search(branch)
    if name.startswith("WARN") and of != {"domain", "dev"}:     # what only a bug can bring about
        return []
    # What the IOMMU lacks is a misfit if the domain wants it, and a device can be busy
    lacks = errno and "domain" not in of and (errno[1] == "EEXIST" or of and errno[1] == "EINVAL" and re.search(r"\be?cap_\w+\(|features\b", n.text))
    if not errno or "domain" not in of and not lacks or of == {"domain"} and errno[1] not in ("EINVAL", "EBUSY", "EEXIST") or re.search(
            r"!\s*\w+(->\w+)*$|^\w+ < 0$|\b(ret|rc|err)\b|alloc|mapping_error", bare(n.text)) or name.startswith("WARN") and at > start + len(n.text) + 9:
        return []
    return attach.finding("print", f, p, "prints where domain and device do not fit together, which is no error; make it dev_dbg()")
