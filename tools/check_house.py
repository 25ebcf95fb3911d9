"""Rules of the house that no linter knows: a README in every folder, modules of at most 400 lines, mirrored tests.

Run by ``make lint``; prints every breach and exits 1 when there is one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAX_LINES = 400
FORBIDDEN = ("/" + "work/", "/" + "root/", "index" + "-url = ", "pytest.mark." + "skip", "pytest.mark." + "xfail")


def tracked() -> list[Path]:
    """Files git knows or would add."""
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / line for line in out.splitlines() if (ROOT / line).is_file()]


def breaches(files: list[Path]) -> list[str]:
    found: list[str] = []
    packages = {f.parent for f in files if f.name == "__init__.py" and "tests" not in f.parts}
    found += [
        f"{p.relative_to(ROOT)}: no README.md saying what lives here and what it may import"
        for p in sorted(packages)
        if not (p / "README.md").exists() and "migrations" not in p.parts
    ]
    for file in files:
        name = file.relative_to(ROOT)
        if file.suffix == ".py":
            lines = file.read_text().count("\n")
            if lines > MAX_LINES:
                found.append(f"{name}: {lines} lines, {MAX_LINES} allowed: split it by idea")
        if file.suffix in {".py", ".sh", ".toml", ".md", ".cfg", ".ini", ".lock", ".in"} or file.name == "Makefile":
            text = file.read_text(errors="replace")
            found += [f"{name}: contains {word!r}" for word in FORBIDDEN if word in text]
    return found


def main() -> int:
    found = breaches(tracked())
    for line in found:
        print(line)
    print(f"house: {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
