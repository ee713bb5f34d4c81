#!/usr/bin/env bash
# run.sh PYTHON: build the wheel and the sdist, check them, and run the installed wheel in a fresh environment.
# PYTHON has the packages `build` and `twine`. The wheel is built from the sdist, so this proves both.
set -euo pipefail
python=$(realpath --no-symlinks "$1")
cd "$(dirname "$0")/../.."

rm -rf build dist
"$python" -m build --outdir dist .
"$python" -m twine check --strict dist/*

# Away from the checkout, or Python would import `edge` from here.
dist=$PWD/dist fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$python" -m venv "$fresh/venv"
"$fresh/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$dist"/*.whl
cd "$fresh"
export PATH=$fresh/venv/bin:$PATH XDG_DATA_HOME=$fresh/data

version=$(edge-pose --version)
[[ edge_pose-${version#edge-pose }-py3-none-any.whl == "$(cd "$dist" && echo *.whl)" ]] || {
    echo "the installed program says '$version', and the files are $(ls "$dist")" >&2
    exit 1
}
edge-pose models verify
edge-pose annotate synthetic:walk walk.png --frame 20
[[ -s walk.png ]]
echo "$version: the wheel and the sdist are in dist/, and the installed wheel runs"
