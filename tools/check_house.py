"""Rules no linter knows: a README in every package, modules of bounded length, no machine paths.

Run by ``make lint``; prints every breach and exits 1 when there is one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAX_LINES, MAX_TEST_LINES = 400, 500
FORBIDDEN = (
    "/" + "work/", "/" + "root/", "index" + "-url = ", "pytest.mark." + "skip", "pytest.mark." + "xfail",
)  # fmt: skip
TEXTS = {".py", ".sh", ".toml", ".md", ".cfg", ".ini", ".lock", ".in"}


def tracked() -> list[Path]:
    """Files git knows or would add."""
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


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
            allowed = MAX_TEST_LINES if "tests" in name.parts else MAX_LINES
            if lines > allowed:
                found.append(f"{name}: {lines} lines, {allowed} allowed: split it by idea")
        if file.suffix in TEXTS or file.name == "Makefile":
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
