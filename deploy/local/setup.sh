#!/bin/sh
# Makes .venv with everything that pyproject.toml and uv.lock name. uv comes from the PATH, or from a small environment
# of its own in the cache, for many systems do not let pip install beside their own packages.
#
# The system's own Python comes first: distributions compile it with profile-guided optimisation, which version managers
# that compile on the spot leave out; ours took 1.3 times as long for the same work. UV_PYTHON chooses another one.
set -eu
cd "$(dirname "$0")/../.."

is_new_enough() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=
for candidate in "${UV_PYTHON:-}" \
    /usr/bin/python3.14 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 \
    python3.11 python3.12 python3.13 python3.14 python3; do
    if [ -n "$candidate" ] && is_new_enough "$candidate"; then
        python=$(command -v "$candidate")
        break
    fi
done

if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    uv=uv
else
    tools="${LABELMESH_CACHE:-$HOME/.cache/labelmesh}/uv"
    uv="$tools/bin/uv"
    if [ ! -x "$uv" ]; then
        if [ -z "$python" ]; then
            echo "Python 3.11 or newer is not installed. Install it with: apt-get install python3 python3-venv" >&2
            exit 1
        fi
        echo "installing uv into $tools ..."
        if ! "$python" -m venv "$tools"; then
            echo "Python cannot make virtual environments. Install that part with: apt-get install python3-venv" >&2
            exit 1
        fi
        "$tools/bin/pip" install --quiet --disable-pip-version-check uv
    fi
fi

[ -d .venv ] || echo "installing the Python libraries into .venv ..."
exec "$uv" sync --frozen --all-extras --quiet ${python:+--python "$python"}
