# The functions that the scripts beside this one share. Sourcing it leads to the repository's root.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')

# cross COMMAND...: cargo of Debian's compiler, whose sources can build `core` and `std` for
# targets, and with sanitizers, that rustup has not installed. Its linker is rustup's.
cross() {
    env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc PATH="$PATH:$sysroot/lib/rustlib/$host/bin" /usr/bin/cargo "$@"
}

# cross_features TARGET FEATURES: the features of marena-core, and how a target without
# compare-and-swap gets one.
cross_features() {
    case $1 in
    thumbv6m* | riscv32imc*) echo "$2,portable-atomic/unsafe-assume-single-core" ;;
    *) echo "$2" ;;
    esac
}

# missing PACKAGE...: the Debian packages among them that are not installed.
missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok' || echo "$package"
    done
}

# require PACKAGE...: installs the Debian packages that are missing, as root; an error otherwise.
require() {
    local packages
    mapfile -t packages < <(missing "$@")
    [ ${#packages[@]} -eq 0 ] && return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "needs the packages ${packages[*]}" >&2
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    # Another script may hold the lock.
    local wait=DPkg::Lock::Timeout=600
    apt-get -o $wait update -qq && apt-get -o $wait install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

# must_fail WHAT PATTERN COMMAND...: runs a command with a planted fault. It must fail, in words
# that match the pattern.
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

# stage NAME COMMAND...: runs a command, with at most `limit` seconds, and prints one line, and the
# end of its output if it failed. The name comes first, so a run that is cut off says where.
# `passed`, `failed` and `skipped` count; `logs` is a folder.
passed=0 failed=0 skipped=0 limit=1500 job= watch=
stage() {
    local name=$1 start=$SECONDS outcome=ok
    shift
    printf '%-34s ' "$name"
    # Each job is a process group, which ends as a whole.
    set -m
    "$@" >"$logs/stage.log" 2>&1 </dev/null &
    job=$!
    sleep "$limit" && kill -- -$job &
    watch=$!
    disown $watch
    set +m
    wait $job 2>/dev/null || outcome=FAILED
    # At once: it has this script's traps until it begins.
    kill -KILL -- -$watch
    job=
    printf '%-6s %4d s\n' $outcome $((SECONDS - start))
    if [ $outcome = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        [ $((SECONDS - start)) -lt "$limit" ] || echo "        ended after $limit s"
        show_end
    fi
}

# show_end: the end of the stage's output.
show_end() {
    tail -n 60 "$logs/stage.log" | sed 's/^/        /'
}

# cut_off: for a run that a signal ends.
cut_off() {
    [ -z "$job" ] || { echo "cut off"; show_end; kill -KILL -- -$watch; kill -- -$job; }
    exit 1
}

# needs NAME COMMAND...: whether all commands are there. Skips the stage NAME otherwise; with CI
# set, fails it.
needs() {
    local name=$1 tool
    shift
    for tool in "$@"; do
        if ! command -v "$tool" >/dev/null; then
            if [ -n "${CI:-}" ]; then
                failed=$((failed + 1))
                printf '%-34s FAILED needs %s\n' "$name" "$tool"
            else
                skipped=$((skipped + 1))
                printf '%-34s skipped: needs %s\n' "$name" "$tool"
            fi
            return 1
        fi
    done
}
