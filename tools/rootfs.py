"""Puts together the root file system of the image: `python rootfs.py DIRECTORY`, within the build stage of the Dockerfile.

Taken is what the environment that runs this needs: its files, its interpreter with the standard library, the shared libraries that any of them
loads, and the system's certificates. Naming what is taken instead of what is removed leaves no shell and no package manager behind, whatever the
base has. Standard library only; nothing of the repository is imported.
"""

import compileall
import importlib
import os
import py_compile
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

ENVIRONMENT = Path(sys.prefix)
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
NOT_NEEDED = re.compile(
    r"(test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3|pydoc_data|site-packages|dist-packages|config-.*)"
)
"""Directories of the standard library without which it works."""
GENERATED = re.compile(r"/kubernetes/(?:aio/)?client/(?:models|api)/(?!__init__)[^/]+\.py")
"""The official client's classes for each kind and call, 1,800 files and 40 % of the image if all were taken. `kube/client.py` uses none of them; the
three that kopf imports are."""
ENTRY_POINTS = (
    "proxmox_offerings.controller.operator",
    "proxmox_offerings.cli.run",
    "proxmox_offerings.cli.preview",
    "proxmox_offerings.cli.crds",
    "proxmox_offerings.simulator.command",
    "proxmox_offerings.simulator.simulator",
)
COMMANDS = ("proxmox-offerings", "python")
LOADED_LATER = ("libgcc_s.so.1",)
"""Shared libraries that are loaded by name while a process runs, so that no file tells of them: ending a thread needs this one."""
PASSWD = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"
GROUP = "root:x:0:\nnonroot:x:65532:\n"
MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH
"""Nobody changes a source in an image, so nobody needs to look whether it changed."""


def drop_generated() -> None:
    """Remove what is generated and not imported."""
    for name in ENTRY_POINTS:
        importlib.import_module(name)
    imported = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for source in ENVIRONMENT.rglob("*.py"):
        if GENERATED.search(str(source)) and str(source) not in imported:
            source.unlink()


def compile_all() -> None:
    """Write bytecode for all that may be imported."""
    for directory in (STANDARD_LIBRARY, ENVIRONMENT):
        # Templates that are no valid Python are among the files, so the verdict on all of them says nothing.
        compileall.compile_dir(directory, quiet=2, invalidation_mode=MODE, workers=0)


class Root:
    """The file system that is being put together."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.taken: set[Path] = set()

    def take(self, path: Path) -> None:
        """Copy one file. A symbolic link on the way to it stays one, and what it leads to is taken too."""
        here = Path("/")
        parts = path.parts[1:]
        for number, part in enumerate(parts, start=1):
            here /= part
            if here.is_symlink():
                target = here.readlink()
                link = self._place(here)
                if not link.is_symlink():
                    link.symlink_to(target)
                self.taken.add(here)
                self.take(Path(os.path.normpath(here.parent / target / Path(*parts[number:]))))
                return
        if path in self.taken:
            return
        if path.is_dir():
            self._place(path).mkdir(exist_ok=True)
        elif path.exists():
            shutil.copy2(path, self._place(path))
            self.taken.add(path)

    def take_all(self, directory: Path, *, but: re.Pattern[str] | None = None) -> None:
        """Copy what is in `directory`, except subdirectories whose whole name matches `but`."""
        for here, directories, files in os.walk(directory):
            directories[:] = [name for name in directories if but is None or not but.fullmatch(name)]
            for name in [*directories, *files]:
                self.take(Path(here, name))

    def write(self, path: str, content: str) -> None:
        self._place(Path(path)).write_text(content, encoding="utf-8")

    def _place(self, path: Path) -> Path:
        place = self._directory / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


def shared_libraries(files: Iterable[Path]) -> set[Path]:
    """What the dynamic linker loads for `files`, itself included."""
    elf = [file for file in files if file.is_file() and not file.is_symlink() and _is_elf(file)]
    told = subprocess.run(["ldd", *elf], capture_output=True, text=True, check=False).stdout
    if missing := re.findall(r"^\s*(\S+) => not found", told, re.MULTILINE):
        sys.exit(f"error: the base lacks {', '.join(sorted(set(missing)))}: take another one")
    return {Path(path) for path in re.findall(r"(?:^\s*|=> )(/\S+) \(0x", told, re.MULTILINE)}


def _is_elf(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(4) == b"\x7fELF"


def name_packages(root: Root) -> None:
    """Tell scanners which of Debian's packages files were taken of, where distroless images tell it."""
    if not shutil.which("dpkg-query"):
        return
    paths = sorted(str(path) for path in root.taken if not path.is_relative_to(ENVIRONMENT))
    owners = subprocess.run(["dpkg-query", "--search", *paths], capture_output=True, text=True, check=False).stdout
    packages = {name for line in owners.splitlines() for name in line.partition(": ")[0].split(", ") if " " not in name}
    for name in sorted(packages):
        status = subprocess.run(["dpkg-query", "--status", name], capture_output=True, text=True, check=True).stdout
        root.write(f"/var/lib/dpkg/status.d/{name.partition(':')[0]}", status)


def main(directory: Path) -> None:
    """Put it together in `directory`."""
    drop_generated()
    compile_all()
    root = Root(directory)
    for name in COMMANDS:
        root.take(ENVIRONMENT / "bin" / name)
    root.take(ENVIRONMENT / "pyvenv.cfg")
    root.take_all(ENVIRONMENT / "lib")
    root.take_all(STANDARD_LIBRARY, but=NOT_NEEDED)
    libraries = shared_libraries([Path(os.path.realpath(sys.executable)), *root.taken])
    folders = {library.parent for library in libraries}
    for library in [*libraries, *(folder / name for folder in folders for name in LOADED_LATER)]:
        root.take(library)
    trust = ssl.get_default_verify_paths()
    for path in (trust.openssl_cafile, str(Path(trust.openssl_capath).parent / "openssl.cnf")):
        root.take(Path(path))
    root.take_all(Path(trust.openssl_capath))
    for path in ("/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/os-release", "/etc/ssl/certs/ca-certificates.crt"):
        root.take(Path(path))
    name_packages(root)
    root.write("/etc/passwd", PASSWD)
    root.write("/etc/group", GROUP)
    (directory / "tmp").mkdir(exist_ok=True)
    (directory / "tmp").chmod(0o1777)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
