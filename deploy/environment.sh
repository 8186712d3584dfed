# Sourced by ./start and ./test: makes .venv with NextStep in it, once, and leaves its path in $venv.
# $1: extras to install, such as "[dev]" or "".
#
# torch comes first and alone: on Linux the package index's own build brings gigabytes of CUDA with
# it, PyTorch's CPU index does not. On a Mac the plain build is the right one.

torch_version=2.13.0
torch_cpu_index=https://download.pytorch.org/whl/cpu

prepare_environment() {
    extras=$1
    python=${PYTHON:-python3}
    venv=${NEXTSTEP_VENV:-.venv}
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "NextStep needs Python 3.11 or newer; '$python' is not. Name one: PYTHON=python3.12 $0" >&2
        exit 2
    fi
    if [ ! -x "$venv/bin/python" ]; then
        "$python" -m venv "$venv" || {
            echo "Python cannot make an environment; on Debian: apt install python3-venv" >&2
            exit 3
        }
    fi
    stamp="$venv/.nextstep${extras}"
    if [ "$stamp" -nt pyproject.toml ]; then
        return
    fi
    echo "installing into $venv (the first time takes a few minutes)" >&2
    pip="$venv/bin/python -m pip --quiet --disable-pip-version-check"
    case $(uname -s) in
        # Alone, so that only torch is looked up there; what it needs comes with the next line.
        Linux) $pip install --no-deps --timeout 10 --retries 1 --extra-index-url "$torch_cpu_index" "torch==$torch_version" ;;
        *) $pip install "torch==$torch_version" ;;
    esac
    $pip install --editable ".$extras"
    touch "$stamp"
}
