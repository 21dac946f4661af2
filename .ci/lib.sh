# What the scripts beside this one share; sourced by them, and leaves them in the repository's root.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')

# Debian's compiler, whose sources can build `core` and `std` for targets, and with sanitizers, that rustup has not installed.
# Its `lld` is rustup's.
cross() {
    env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc PATH="$PATH:$sysroot/lib/rustlib/$host/bin" /usr/bin/cargo "$@"
}

# require PACKAGE...: Debian packages by name; installs what is missing where it may.
require() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "needs the packages ${missing[*]}" >&2
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# must_fail WHAT PATTERN COMMAND...: a planted fault, which the command must report in words that match the pattern.
must_fail() {
    local what=$1 pattern=$2 output
    shift 2
    if output=$("$@" 2>&1); then
        echo "not found: $what" >&2
        return 1
    fi
    if ! grep -qE -- "$pattern" <<<"$output"; then
        printf '%s\n' "$output" | tail -n 40 >&2
        echo "failed for another reason: $what" >&2
        return 1
    fi
    echo "found, as planted: $what"
}
