#!/usr/bin/env bash
# Builds the wheel, installs it in an empty environment elsewhere and runs the demo there: bash tests/wheel.sh
# Minutes long, downloads the dependencies, so that it isn't among the tests. PYTHON says which Python.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
bin=$place/venv/bin
mkdir "$place/checkout" "$place/work"
tar -C "$root" -c lipfd_jax datasets_tfds configs pyproject.toml README.md LICENSE | tar -C "$place/checkout" -x
"$bin/pip" install --quiet "$place/checkout"
rm -rf "$place/checkout"
cd "$place/work"  # no source in sight: what runs now came in the wheel
unset PYTHONPATH
"$bin/python" --version
"$bin/python" -c "import importlib.util as u; assert u.find_spec('configs') is None, 'a top-level configs came along'"
"$bin/lipfd" demo --output=demo --identities=20 --steps=20  # 20: each split gets some
test -s demo/evaluation/report.html
"$bin/lipfd" train --config=lipfd:tiny --workdir=run --config.steps=1 --config.batch_size=2 \
    --config.model.inputs.picture_size=80 --config.model.inputs.crop_size=32 --config.data.path=demo/data
"$bin/lipfd" evaluate --checkpoint=run --data=demo/data --output=again
test -s again/report.html
echo "the wheel runs on $("$bin/python" --version)"
