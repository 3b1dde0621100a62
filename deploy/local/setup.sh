#!/bin/sh
# Makes .venv with everything that pyproject.toml and uv.lock name. uv comes from the PATH, or from a small environment
# of its own in the cache, for many systems do not let pip install beside their own packages.
set -eu
cd "$(dirname "$0")/../.."

if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    uv=uv
else
    python=
    for candidate in python3.11 python3.12 python3.13 python3.14 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "Python 3.11 or newer is not installed. Install it with: apt-get install python3 python3-venv" >&2
        exit 1
    fi
    tools="${LABELMESH_CACHE:-$HOME/.cache/labelmesh}/uv"
    uv="$tools/bin/uv"
    if [ ! -x "$uv" ]; then
        echo "installing uv into $tools ..."
        if ! "$python" -m venv "$tools"; then
            echo "Python cannot make virtual environments. Install that part with: apt-get install python3-venv" >&2
            exit 1
        fi
        "$tools/bin/pip" install --quiet --disable-pip-version-check uv
    fi
fi

[ -d .venv ] || echo "installing the Python libraries into .venv ..."
exec "$uv" sync --frozen --all-extras --quiet
