"""Looks at the packed crates in a folder: `scripts/crates` calls this."""

import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tomllib

UPWARDS = re.compile(r'"(\.\./[^"]*)"')


def tracked(folder):
    """The files of a crate that Git knows, without those of packages inside of it."""
    listed = subprocess.run(
        ["git", "ls-files", "--", str(folder)], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    files = {pathlib.PurePosixPath(line).relative_to(folder).as_posix() for line in listed}
    inner = [
        name.removesuffix("Cargo.toml") for name in files if name.endswith("/Cargo.toml")
    ]
    return {name for name in files if not any(name.startswith(folder) for folder in inner)}


def names_outside(path, line):
    """Whether a line of Rust names a file that is not in the package."""
    # `include_str!` and the like begin at the file, and deno_core's macros at the package.
    start = pathlib.PurePosixPath(path).parent if "include_" in line else pathlib.PurePosixPath()
    return any(
        os.path.normpath(start / name).startswith("..") for name in UPWARDS.findall(line)
    )


def faults(folder, name, version, core, packed):
    with tarfile.open(packed) as archive:
        members = {
            member.name.partition("/")[2]: archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.isfile()
        }
    for missing in sorted(tracked(folder) - set(members)):
        yield f"{missing} is not in the package"
    for path, content in members.items():
        if path.startswith("src/") and path.endswith(".rs"):
            for number, line in enumerate(content.decode().splitlines(), 1):
                if not line.lstrip().startswith("//") and names_outside(path, line):
                    yield f"{path}:{number} names a file outside of the package"
    readme = members.get("README.md", b"").decode()
    if name != "duplex" and f'{name} = "{version}"' not in readme:
        yield f'README.md has no block of dependencies with {name} = "{version}"'
    for line in re.findall(r"^deno_core = .*", readme, re.MULTILINE):
        if core not in line:
            yield f"README.md names another deno_core than {core}: {line}"


def main(folder):
    with open("Cargo.toml", "rb") as file:
        workspace = tomllib.load(file)["workspace"]
    version = workspace["package"]["version"]
    core = workspace["dependencies"]["deno_core"]["version"].lstrip("=")
    found = []
    for member in workspace["members"]:
        if member == "wpt":
            continue
        with open(f"{member}/Cargo.toml", "rb") as file:
            name = tomllib.load(file)["package"]["name"]
        packed = pathlib.Path(folder) / f"{name}-{version}.crate"
        for fault in faults(member, name, version, core, packed):
            found.append(f"{name}: {fault}")
    manual = pathlib.Path("docs/manual/guide/embedding.md").read_text()
    if not re.search(rf"^\| {re.escape(version)} +\| {re.escape(core)} ", manual, re.MULTILINE):
        found.append(f"embedding.md has no row for duplex {version} with deno_core {core}")
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
