# SPDX-License-Identifier: GPL-2.0
"""build: make a test kernel, and print its path

KERNEL is stock, patched or, on 6.1, without (all patches but one that is to be measured), for x86_64, or one of these with
-arm64, -s390, -sim (the simulated IOMMU), -debug (and the kernel's debug options), -gcov (and counters in what
lab/coverage.py looks at) or, where the base has them, -riscv and -peers (what the suites of iommufd and libvfio need); or
patched-attach or core-attach (the core is patched, drivers and VFIO are stock), with CONFIG_IOMMU_DEBUG_ATTACH, also with what
else a machine has, or patched-attach-sim; or iommufd: the stock tree with iommufd's VFIO container instead of type1, also with
-arm64, -riscv and -s390; or vfio: that topic with what it needs and nothing else. Its folder has image, vmlinux, config and
modules."""
import glob
import hashlib
import os
import re
import shutil

import kbuild
import series
import trees
from base import get_base
from lib import BASE, BUILD, JOBS, LAB, TOP, die, free_space, lock, out, read, run, say, step, write

GUEST = f"{LAB}/guest"
# What a kernel's name ends in: its architecture, and the fragments on top of that
VARIANTS = {"": ("x86_64", "client"), "arm64": ("arm64",), "s390": ("s390",), "sim": ("x86_64", "sim"),
            "debug": ("x86_64", "sim", "debug"), "gcov": ("x86_64", "sim", "gcov"),
            **({"peers": ("x86_64", "peers"), "riscv": ("riscv",)} if BASE != "6.1" else {})}
# The folders of tools/testing/selftests that are built with the kernels of a fragment
SELFTESTS = {"sim": ["vfio"], "peers": ["iommu", "vfio"]}
# Modules that the selftests use; the guest loads them in the order of their names
MODULES = ["drivers/vfio/mdev/mdev.ko", "samples/vfio-mdev/mtty.ko"]
# What lab/coverage.py looks at in the -gcov kernels
COUNTED = "drivers/vfio/vfio_iommu_type1"
# The patch that the "without" kernels lack, so that what it brings can be measured
WITHOUT = {"6.1": "vfio-type1-Try-first-the-domains-behind-a-group-s-ow.patch"}.get(BASE)
# What `make run` has beside each other. What a user would take instead is a kernel as it is, with iommufd: the stock tree.
# 6.1 has none.
KINDS = ["stock", "patched", *["iommufd"] * (BASE != "6.1")]
# Those of lab/checks/attach.py, and whose files the core ones have patched
ATTACH = {"attach": (*VARIANTS[""], "ats", "attach"),
          **{f"attach-{a}": (*VARIANTS[a], "attach") for a in ("arm64", "s390", "riscv", "sim") if a in VARIANTS}}
CORE = r"drivers/iommu/(iommu\.c|iommufd/viommu\.c|iommu-debug-attach\.[ch]|(debug/)?Kconfig|Makefile)|include/linux/iommu\.h"
KERNELS = [*(f"{kind}{'-' if v else ''}{v}" for kind in ("stock", "patched", *["without"] * bool(WITHOUT)) for v in VARIANTS),
           *(f"patched-{v}" for v in ATTACH), *(f"core-{v}" for v in ATTACH if v != "attach-sim"), "vfio", *["iommufd", "iommufd-arm64", "iommufd-riscv", "iommufd-s390"] * ("iommufd" in KINDS)]
VARIANTS.update(ATTACH)


def kernels(variant):
    """{kind: name} of the kernels of a variant that `make run` and `make bench` have beside each other"""
    names = {kind: f"{kind}{'-' if variant else ''}{variant}" for kind in KINDS}
    return {kind: name for kind, name in names.items() if name in KERNELS}


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def compiler(arch):
    return read(f"{LAB}/cc") + "".join(out([f"{kbuild.CROSS[arch]}{tool}", "--version"]) for tool in ("gcc", "ld"))


def options(name):
    """What lab/NAME.config has, and what it has for this base only, lab/NAME-BASE.config"""
    more = f"{LAB}/{name}-{BASE}.config"
    return read(f"{LAB}/{name}.config") + (read(more) if os.path.exists(more) else "")


def config(*fragments):
    """The fragments of a kernel, as one text, without what one of them has off"""
    text = "".join(map(options, ("common", *fragments)))
    for off in re.findall(r"^# (CONFIG_\w+) is not set$", text, re.M):
        text = re.sub(rf"^{off}=.*\n", "", text, flags=re.M)
    return text


def without(base):
    """The series without one patch, and without the tracing, which has lines beside it"""
    patches = [p for p in series.read_series() if p["topic"] != "vfio-trace"]
    rest = [p for p in patches if not p["name"].endswith(WITHOUT)]
    if len(rest) != len(patches) - 1:
        die(f"{len(patches) - len(rest)} patches of the series are called {WITHOUT}, which is to be left out; mend WITHOUT "
            "in lab/build.py")
    return series.compose_commits(base, rest)[-1]


def core(base):
    """The patches of the series that are of the core alone"""
    patches = [p for p in series.read_series() if all(re.fullmatch(CORE, f) for f in p["adds"] + p["touches"])]
    if "debug" not in {p["topic"] for p in patches}:
        die("no patch of the topic debug is of the core alone; mend CORE in lab/build.py")
    return series.compose_commits(base, patches)[-1]


def source(kind):
    """Bring a tree up to date; return the name that its kernel gets."""
    kbuild.check_path()
    base = get_base()
    if work := trees.work_in(kind):
        say(f"note: building {os.path.relpath(trees.tree_path(kind), TOP)} as it stands, with {work}"
            + (f" that patches/{BASE} does not have (`make refresh` writes them there)" if kind == "patched" else ""))
        return f"{kind}+dirty"
    trees.put_tree(kind, base if kind == "stock" else without(base) if kind == "without" else core(base) if kind == "core"
                   else series.compose(base, {"stocktests": ["sim"], "vfio": ["vfio"]}.get(kind)))
    return kind


def count(sources):
    """The arguments of make that have gcov count in some objects. The compiler inlines before it counts, and
    then takes lines of an inlined function together: so it must not do that early."""
    stems = sorted({f.removesuffix(".c") for f in sources})
    # An object is called by its path from the Makefile that names it.
    return [arg for s in stems for name in sorted({os.path.basename(s), s.rpartition("drivers/iommu/")[2]})
            for arg in (f"GCOV_PROFILE_{name}.o=y", f"CFLAGS_{name}.o=-fno-early-inlining")]


def kernel(full):
    """The folder of a kernel, made at the first call for its inputs"""
    with lock(BUILD):
        return make_kernel(full)


def make_kernel(full):
    kind, _, variant = full.partition("-")
    arch, *more = VARIANTS[variant]
    plain = variant.removeprefix("attach").removeprefix("-")
    simulated = "sim" in more
    # The stock kernel gets the programs of the patched one.
    suites = [s for m in more for s in SELFTESTS.get(m, [])] if simulated or kind == "patched" else []
    iommufd = kind == "iommufd"
    kind = "stock" if iommufd else "stocktests" if kind == "stock" and simulated else kind
    name, tree, suffix = source(kind), trees.tree_object(kind), f"-{variant}" if variant else ""
    suffix += "-iommufd" * iommufd
    fragment = f"{BUILD}/guest/{variant or 'plain'}{'-iommufd' * iommufd}.config"
    write(fragment, config(*VARIANTS[variant], *["iommufd"] * iommufd))
    counted = count([COUNTED]) if variant == "gcov" else []
    extra = ["probe/probe.ko", "usr/gen_init_cpio", *MODULES * simulated,
             *[f"{COUNTED}.gcno"] * bool(counted)]
    probe = ("probe.c", "Makefile")
    done = f"{BUILD}/kernel/{name}{suffix}-" + digest(
        tree, read(fragment), arch, compiler(arch), *(read(f"{GUEST}/{f}") for f in probe), *counted, *extra)
    if os.path.exists(done):
        os.utime(done)
        return done
    free_space(BUILD, 500, "building a kernel")
    where = "iommufd-" * iommufd + (f"{variant}-{arch}" if more else arch)
    obj, like = kbuild.obj(kind, where), kbuild.obj(kind, where.removeprefix("iommufd-"))
    if plain != variant:
        like = kbuild.obj(kind, f"{plain}-{arch}" if VARIANTS[plain][1:] else arch)
        if not os.path.exists(obj):
            make_kernel("-".join(filter(None, (kind, plain))))
    with step(f"building the {full} kernel"):
        if like != obj and os.path.exists(f"{like}/vmlinux") and not os.path.exists(obj):
            # Make knows what an option changes; for ccache all objects have the file of all options.
            shutil.copytree(like, f"{obj}.tmp", symlinks=True, dirs_exist_ok=True)
            os.rename(f"{obj}.tmp", obj)
        kbuild.configure(kind, where, fragment)
        kbuild.make(kind, where, os.path.basename(kbuild.IMAGE[arch]), "modules", *counted, what=f"the {full} kernel")
        os.makedirs(f"{obj}/probe", exist_ok=True)
        for f in probe:
            put(read(f"{GUEST}/{f}"), f"{obj}/probe/{f}")
        kbuild.make(kind, where, f"M={obj}/probe", "modules", what="the probe module")
        if suites:
            kbuild.make(kind, where, "headers", what="headers for the selftests")
    if trees.tree_object(kind) != tree:
        die(f"{os.path.relpath(trees.tree_path(kind), TOP)} changed while it was built; call again")
    shutil.rmtree(f"{done}.tmp", ignore_errors=True)
    os.makedirs(f"{done}.tmp/tests")
    shutil.copyfile(f"{obj}/{kbuild.IMAGE[arch]}", f"{done}.tmp/image")
    for f in ("vmlinux", ".config", *extra):
        shutil.copy(f"{obj}/{f}", f"{done}.tmp/{os.path.basename(f).lstrip('.')}")
    for suite in suites:
        run(["make", "-C", f"{trees.tree_path(kind)}/tools/testing/selftests/{suite}", f"OUTPUT={done}.tmp/tests", f"-j{JOBS}",
             f"KHDR_INCLUDES=-isystem {obj}/usr/include", "USERCFLAGS=-static", "USERLDFLAGS=-static", "CC=gcc"],
            env=kbuild.clean_env())
    os.rename(f"{done}.tmp", done)
    # The last three of each are kept: going back and forth between two edits builds nothing.
    same = [d for d in glob.glob(f"{BUILD}/kernel/{kind}*") if re.fullmatch(
        rf"{kind}(\+dirty)?{suffix}-[0-9a-f]{{12}}", os.path.basename(d))]
    for old in sorted(same, key=os.path.getmtime)[:-3]:
        shutil.rmtree(old)
    return done


def put(text, path):
    """Write a file unless it has this text already, so that make does not think it new."""
    if not os.path.exists(path) or read(path) != text:
        write(path, text)


def compiled(program, arch):
    """Build a program of the guest; return its path."""
    made = f"{BUILD}/guest/{arch}"
    texts = {f: read(f"{GUEST}/{f}") for f in os.listdir(GUEST) if os.path.isfile(f"{GUEST}/{f}")}
    headers = trees.blobs(get_base(), ["include/uapi/linux/iommufd.h", "include/uapi/linux/vfio.h"])
    texts |= {f.removeprefix("include/"): text.decode() for f, (_, text) in headers.items()}
    for f, text in texts.items():
        put(text, f"{made}/{f}")
    run(["make", "-C", made, f"CC={kbuild.CROSS[arch]}gcc", program], env=kbuild.clean_env())
    return f"{made}/{program}"


def pack(name, generator, program, arch="x86_64", files=None):
    """Write an initramfs with a program of lab/guest as PID 1 and files, {name there: path}, by a kernel's
    gen_init_cpio; return its path, which has its digest."""
    files = {"/init": compiled(program, arch), **(files or {})}
    lines = ["dir /dev 0755 0 0", "nod /dev/console 0600 0 0 c 5 1"]
    lines += [f"dir {d} 0755 0 0" for d in sorted({os.path.dirname(f) for f in files} - {"/"})]
    lines += [f"file {f} {path} 0755 0 0" for f, path in files.items()]
    data = run([generator, "-t", "0", "-"], input="\n".join(lines).encode(), text=False).stdout
    path = f"{BUILD}/guest/{name}-{hashlib.sha256(data).hexdigest()[:12]}.cpio"
    if not os.path.exists(path):
        for old in glob.glob(f"{BUILD}/guest/{name}-*.cpio"):
            os.unlink(old)
        write(path, data)
    return path


def initramfs(program, variant):
    """The initramfs with a program and the probe modules of kernels(variant)"""
    folders = {kind: kernel(name) for kind, name in kernels(variant).items()}
    return pack(f"{program}-{variant or 'x86_64'}", f"{folders['patched']}/gen_init_cpio", program, VARIANTS[variant][0],
                {f"/{kind}/probe.ko": f"{folder}/probe.ko" for kind, folder in folders.items()})


def tests(full):
    """The initramfs with the selftests for a kernel of a variant that SELFTESTS is for"""
    folder = kernel(full.replace("stock-peers", "patched-peers"))
    programs = [f for f in sorted(glob.glob(f"{folder}/tests/*")) if os.path.isfile(f) and os.access(f, os.X_OK)]
    files = {f"/tests/{f}": f"{folder}/{f}" for f in map(os.path.basename, MODULES) if os.path.exists(f"{folder}/{f}")}
    files |= {f"/tests/{os.path.basename(f)}": f for f in programs}
    if full.endswith("-gcov"):
        files["/tests/gcov"] = compiled("gcov", "x86_64")
    return pack(f"tests-{full}", f"{folder}/gen_init_cpio", "tests", files=files)


def client(full):
    """The initramfs with QEMU's user, and what its guest boots: the kernel as it is linked, so that nothing is to be
    unpacked there"""
    folder = kernel(full)
    return pack(f"client-{full}", f"{folder}/gen_init_cpio", "client", files={
        "/probe.ko": f"{folder}/probe.ko", "/nested/vmlinux": f"{folder}/vmlinux",
        "/nested/initramfs": pack("nested", f"{folder}/gen_init_cpio", "nested")})


def arguments(parser):
    parser.add_argument("kernel", metavar="KERNEL", choices=KERNELS, help=f"one of {', '.join(KERNELS)}")


def command(args):
    print(kernel(args.kernel))
