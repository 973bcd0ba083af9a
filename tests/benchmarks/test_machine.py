import subprocess
import sys

import configs


def test_a_script_finds_the_package_pocket_and_not_the_script_of_that_name() -> None:
    code = "import sys; sys.path[0] = 'benchmarks'; import machine, pocket.scenes"  # as for `python benchmarks/x.py`
    subprocess.run([sys.executable, "-c", code], check=True, cwd=configs.ROOT.parent, timeout=60)
