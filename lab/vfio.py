# SPDX-License-Identifier: GPL-2.0
"""How VFIO's type1 looks for a domain when a group joins a container, stock's loop and the patched one, as far as calls
go: what the checks expect."""
import json

from lib import BASE, result

NUMBERS = ("domain_alloc", "domain_free", "attach_group", "attach_dev", "detach_group")


# After a failed attach 6.1's core puts the device that failed back, too; later ones leave that to the driver.
PUTS_BACK = BASE == "6.1"
# The patch that tries a group's own IOMMU first
OWN_FIRST = BASE == "6.1"


class Join:
    """What the join of a group of n devices behind an IOMMU costs, and how it ends. domains: the IOMMU of each that the
    container has, in VFIO's order; a new one is put in front. kernel: stock, patched, or without: patched, but that
    a group's own IOMMU is not tried first. What fails: error, what the first of the domains answers; broken, what
    every domain does; exhausted, that there is no memory for a domain. default: groups have default domains."""

    def __init__(self, kernel, domains, iommu, n=1, error=None, broken=None, exhausted=False, default=True):
        self.calls = dict.fromkeys(NUMBERS, 0)
        self.iommu, self.n, self.broken, self.exhausted = iommu, n, broken, exhausted
        self.answers = {0: error} if error else {}
        self.no_memory = "EIO" if kernel == "stock" and BASE == "6.1" else "ENOMEM"
        self.domain = None                              # fresh, reused; None: it did not join
        self.count("attach_dev", n)                     # the claim's blocking domain
        self.errno = (self.stock if kernel == "stock" else self.patched)(domains, OWN_FIRST and kernel != "without")
        if self.errno:
            self.count("attach_dev", n * default)       # the claim ends: the core's own domain
        elif self.domain == "fresh":
            domains.insert(0, iommu)

    def count(self, call, n=1):
        self.calls[call] += n

    def attach(self, domain, answer=None):
        """iommu_attach_group(): where the first device is refused, 6.1's core puts all of them back."""
        answer = answer or self.broken or (None if domain == self.iommu else "EINVAL")
        self.count("attach_group")
        self.count("attach_dev", 1 + self.n * PUTS_BACK if answer else self.n)
        return answer

    def detach(self):
        self.count("detach_group")
        self.count("attach_dev", self.n)

    def fresh(self):
        """A new domain, attached"""
        self.count("domain_alloc")
        if self.exhausted:
            return self.no_memory
        if answer := self.attach(self.iommu):
            self.count("domain_free")
            return answer
        self.domain = "fresh"
        return None

    def stock(self, domains, _):
        """A new one before it looks at those that it has; for each of them it leaves that one and comes back to it."""
        if answer := self.fresh():
            return answer
        for i, d in enumerate(domains):
            self.detach()
            if not self.attach(d, self.answers.get(i)):
                self.count("domain_free")
                self.domain = "reused"
                return None
            self.attach(self.iommu)
        return None

    def patched(self, domains, own_first):
        """Those that there are, first those of the group's own IOMMU; a new one if none fits. Any other error ends it."""
        order = sorted(enumerate(domains), key=lambda d: own_first and d[1] != self.iommu)
        for i, d in order:
            answer = self.attach(d, self.answers.get(i))
            if not answer:
                self.domain = "reused"
                return None
            if answer != "EINVAL":
                return answer
        return self.fresh()


def wrong(record, expect):
    """The members of what was reported that are not as expected"""
    return [f"{m} is {json.dumps(record.get(m))}, expected {json.dumps(v)}" for m, v in expect.items()
            if m not in record or type(record[m]) is not type(v) or record[m] != v]


def judge_the_judge(which, rows):
    """Results: every expectation of rows, (kernel, name, record, what it must say, what the other kernel's would), fails
    when what it looks at is another value, and no kernel's record passes for the other's where the two differ."""
    unseen = [f"{kernel} {name}: another {m} passes" for kernel, name, record, expect, _ in rows for m, v in expect.items()
              if not wrong({**record, m: "another"}, {m: v})]
    result(rows and not unseen, f"{which}: each expectation can fail", *unseen)
    differ = [row for row in rows if row[3] != row[4]]
    passed = [f"{kernel}, {name}" for kernel, name, record, _, other in differ if not wrong(record, other)]
    result(differ and not passed, f"{which}: neither kernel passes for the other", *passed)
