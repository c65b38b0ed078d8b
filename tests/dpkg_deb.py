"""Builds a Debian package with dpkg-deb from the metadata for cargo-deb in Cargo.toml.

Usage: tests/dpkg_deb.py TARGET VERSION ARCHITECTURE OUTPUT
"""

import glob
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib

target, version, architecture, output = sys.argv[1:]
package = tomllib.loads(pathlib.Path("Cargo.toml").read_text())["package"]
deb = package["metadata"]["deb"]

with tempfile.TemporaryDirectory() as root:
    os.chmod(root, 0o755)

    def install(source, destination, mode):
        path = pathlib.Path(root, destination)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(mode)

    for source, destination, mode in deb["assets"]:
        if source.startswith("target/"):
            source = target + source.removeprefix("target")
        found = glob.glob(source)
        if not found:
            sys.exit(f"no file {source}")
        for file in found:
            name = destination + os.path.basename(file) if destination.endswith("/") else destination
            install(file, name, int(mode, 8))
    install(deb["license-file"][0], "usr/share/doc/blockchain/copyright", 0o644)
    for script in ("postinst", "prerm", "postrm"):
        install(f"{deb['maintainer-scripts']}/{script}", f"DEBIAN/{script}", 0o755)
    size = sum(file.stat().st_size for file in pathlib.Path(root).rglob("*") if file.is_file()) // 1024
    description = textwrap.indent(textwrap.fill(deb["extended-description"], 79), " ") + "\n"
    pathlib.Path(root, "DEBIAN/control").write_text(
        f"Package: {package['name']}\nVersion: {version}\nArchitecture: {architecture}\n"
        f"Maintainer: {deb['maintainer']}\nSection: {deb['section']}\nPriority: optional\n"
        f"Installed-Size: {size}\n"
        f"Depends: {deb['depends'].replace('$auto', 'libc6, libgcc-s1')}\n"
        f"Description: {package['description']}\n{description}"
    )
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, output], check=True)
