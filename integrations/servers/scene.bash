# The scene of a check: a scratch home, the servers, and claims that are counted. Sourced by integrations/*/check.
#
# A check makes claims; each prints one line, and `finish` prints the sum and ends with the exit code of the contract:
# 0 everything claimed was seen, 77 the tool is absent, 1 otherwise.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
servers=$repository/integrations/servers
hallpass=${HALLPASS_BIN:-$repository/target/debug/hallpass}
oidc_provider=9.13.3
modules=$repository/target/check-cache

scratch=$(mktemp -d)
pids=()
passed=0 failed=0 skipped=0 said=''

sum() { printf '%s%s passed, %s failed, %s skipped\n' "${1-}" "$passed" "$failed" "$skipped"; }

tidy() {
    local pid
    [ -n "$said" ] || sum 'ended early: '
    for pid in "${pids[@]}"; do kill "$pid" 2>>"$scratch/tidy.log" || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>>"$scratch/tidy.log" || true; done
    rm -rf "$scratch" || true # a browser may still be writing its page
}
trap tidy EXIT
# A step between the claims that fails ends the check, and says which.
set -E
trap 'printf "FAIL  %s line %s: %s\n" "$0" "$LINENO" "$BASH_COMMAND" >&2' ERR
trap 'exit 130' INT
trap 'exit 143' TERM

absent() {
    said=yes
    printf 'SKIP: %s\n' "$1"
    exit 77
}

skip() {
    skipped=$((skipped + 1))
    printf 'SKIP  %s\n' "$1"
}

# claim TEXT COMMAND...: the command's own words are shown only when it fails.
claim() {
    local text=$1
    shift
    if "$@" >"$scratch/claim.out" 2>&1 </dev/null; then
        passed=$((passed + 1))
        printf 'ok    %s\n' "$text"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n' "$text"
        tail -n 20 "$scratch/claim.out" | sed 's/^/      /'
    fi
}

equal() { # WANT GOT
    [ "$1" = "$2" ] || { printf 'wanted: %s\ngot:    %s\n' "$1" "$2" && return 1; }
}

contains() { # FILE PATTERN
    grep -Eq -- "$2" "$1" || { printf '%s is not in:\n' "$2" && cat "$1" && return 1; }
}

# How many lines of FILE match PATTERN; no file is no line.
count() {
    if [ -f "$1" ]; then grep -Ec -- "$2" "$1" || true; else echo 0; fi
}

# soon SECONDS COMMAND...: true as soon as the command is; for things another process is about to do.
soon() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.1
    done
}

finish() {
    said=yes
    sum
    [ "$failed" -eq 0 ] || exit 1
    exit 0
}

# For a server that cannot choose one itself; somebody else may take it in between.
free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# start NAME FILE OPTION...: runs a server of integrations/servers; ${port[NAME]} says where.
declare -A port=()
start() {
    local name=$1 out=$scratch/$1.out
    shift
    : >"$out"
    node "$servers/$1" "${@:2}" >"$out" 2>"$out.err" &
    pids+=($!)
    soon 30 grep -q '^port ' "$out" || { cat "$out.err" >&2 && exit 1; }
    port[$name]=$(sed -n 's/^port //p' "$out")
}

# install_package NAME VERSION: from the npm registry. Kept in the target folder, so that it is fetched once.
install_package() {
    if grep -q "\"version\": \"$2\"" "$modules/node_modules/$1/package.json" 2>"$scratch/npm.log"; then return; fi
    mkdir -p "$modules"
    npm install --prefix "$modules" --no-audit --no-fund "$1@$2" >"$scratch/npm.log" 2>&1 ||
        { cat "$scratch/npm.log" >&2 && exit 1; }
}

# npm_package NAME@VERSION: into $modules/NAME@VERSION, where it may need other versions of the same packages.
npm_package() {
    [ -d "$modules/$1" ] || { npm install --prefix "$modules/$1.part" --no-audit --no-fund --ignore-scripts "$1" \
        >"$scratch/npm.log" 2>&1 && mv "$modules/$1.part" "$modules/$1"; }
}

# python_package NAME==VERSION [with-dependencies]: the folder of a package from PyPI, kept in the target folder, so that it
# is fetched once.
python_package() {
    local folder=$modules/$1 alone=--no-deps
    [ -z "${2-}" ] || alone=--upgrade-strategy=only-if-needed
    if [ ! -d "$folder" ]; then
        python3 -m pip install -q --disable-pip-version-check "$alone" --target "$folder.part" "$1" >"$scratch/pip.log" 2>&1 ||
            return 1
        mv "$folder.part" "$folder"
    fi
    printf '%s\n' "$folder"
}

# newest_debian_package NAME: the folder of a package from Debian's unstable, unpacked and not installed, kept in the target
# folder; for programs of which this system has only an old one, and which need nothing of a newer system.
newest_debian_package() {
    local folder=$modules/debian-$1 work=$scratch/apt apt
    if [ ! -d "$folder" ]; then
        command -v apt-get >"$scratch/found" && command -v dpkg-deb >"$scratch/found" || return 1
        mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts"
        echo 'deb http://deb.debian.org/debian sid main' >"$work/sources"
        apt=(apt-get -q -o Dir::Etc::SourceList="$work/sources" -o Dir::Etc::SourceParts="$work/parts" -o APT::Sandbox::User=root
            -o Dir::State::Lists="$work/lists" -o Dir::State::Status=/dev/null -o Dir::Cache="$work/cache"
            -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none)
        ("${apt[@]}" update && cd "$work" && "${apt[@]}" download "$1" && mkdir -p "$folder.part" &&
            dpkg-deb -x "$1"_*.deb "$folder.part" && mv "$folder.part" "$folder") >"$scratch/apt.log" 2>&1 || return 1
    fi
    printf '%s\n' "$folder"
}

# Starts the authorization server; options are passed on. Sets $issuer.
start_authorization_server() {
    start authorization authorization-server.mjs --modules "$modules" "$@"
    issuer=http://127.0.0.1:${port[authorization]}
}

stats() { curl -sS "$issuer/stats/$1"; }

# The server forgets the access token that hallpass holds, and hallpass is not told.
forget_access_token() { "$hallpass" get </dev/null | curl -sS --data-binary @- "$issuer/expire"; }

# grow_older SECONDS: as if the tokens of the account had been obtained that much earlier.
grow_older() { node "$servers/age-record.mjs" "$XDG_DATA_HOME/hallpass/work" "$1"; }

# new_home FOLDER LINE...: a new home for a new person with one account, `work`, and nothing signed in; the lines complete
# the account. Sets HOME and what hangs on it, and puts `hallpass` on PATH as a script that notes the call and becomes
# the binary: $calls has the arguments of each call, $callers its process, $pages what the browser was opened with.
new_home() {
    export HOME=$scratch/$1
    export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share XDG_STATE_HOME=$HOME/.local/state
    export XDG_RUNTIME_DIR=$HOME/run XDG_CACHE_HOME=$HOME/.cache
    export HALLPASS_STORE=file HALLPASS_INTERACTIVE=always
    mkdir -p "$XDG_CONFIG_HOME/hallpass" "$XDG_DATA_HOME" "$HOME/bin"
    mkdir -m 0700 "$XDG_RUNTIME_DIR"
    cat >"$XDG_CONFIG_HOME/hallpass/config.toml" <<TOML
default = "work"

[account.work]
issuer = "$issuer"
client_id = "cli"
scope = ["openid", "offline_access"]
$(printf '%s\n' "${@:2}")
TOML
    chmod 0600 "$XDG_CONFIG_HOME/hallpass/config.toml"
    calls=$HOME/calls callers=$HOME/callers pages=$HOME/pages
    : >"$calls"
    : >"$callers"
    : >"$pages"
    printf '#!/bin/sh\necho "$*" >>%q\necho $$ >>%q\nexec %q "$@"\n' "$calls" "$callers" "$hallpass" >"$HOME/bin/hallpass"
    # The browser of somebody who says yes: follow the redirects with cookies until the loopback page answers.
    printf '#!/bin/sh\necho "$1" >>%q\nexec curl -sL -b "" -o %q "$1"\n' "$pages" "$HOME/page.html" >"$HOME/browser"
    chmod +x "$HOME/bin/hallpass" "$HOME/browser"
    export BROWSER=$HOME/browser PATH=$HOME/bin:$outer_path
}

# What `hallpass setup` may touch: the tool's file with its mode, and the names of this program's that lie about.
traces() { # FILE
    if [ -e "$1" ]; then stat -c '%n %a' "$1" && sha256sum <"$1"; else printf 'no %s\n' "$1"; fi
    find "$HOME" -lname '*hallpass' -printf '%p -> %l\n' | sort
}

# On PATH as it is installed: not the script that notes its calls.
installed() {
    mkdir -p "$HOME/installed"
    ln -sf "$hallpass" "$HOME/installed/hallpass"
    PATH=$HOME/installed:$PATH "$@"
}

# claim_wired LABEL TOOL FILE COMMAND...: `setup` wires the tool, and the command shows that the tool has its token; a second
# `setup` changes nothing, and after `unsetup` all is as before. What was written is kept for `agrees`.
claim_wired() { installed claim_wired_by_path "$@"; }
claim_wired_by_path() {
    local label=$1 tool=$2 file=$3 untouched wired
    shift 3
    untouched=$(traces "$file")
    claim "$label: \`hallpass setup $tool\`" "$hallpass" setup "$tool"
    wired=$(traces "$file")
    claim "$label: the tool has its token" "$@"
    claim "$label: a second \`setup\` says that it is so already" says_so_already "$tool"
    claim "$label: and changes nothing" equal "$wired" "$(traces "$file")"
    cp "$file" "$HOME/written"
    claim "$label: \`hallpass unsetup $tool\`" "$hallpass" unsetup "$tool"
    claim "$label: all is as before, byte for byte" equal "$untouched" "$(traces "$file")"
}
says_so_already() { "$hallpass" setup "$1" >"$HOME/again" 2>&1 && contains "$HOME/again" 'says so already'; }

# claim_setup LABEL TOOL FILE TEXT COMMAND...: all of this in a file in which somebody wrote TEXT, and without a file.
claim_setup() {
    somebodys "$3" "$4"
    claim_wired "$1, somebody's file" "$2" "$3" "${@:5}"
    rm "$3"
    claim_wired "$1, no file" "$2" "$3" "${@:5}"
}

# claim_setup_of LABEL TOOL FILE TEXT COMMAND...: the same for a tool whose file must say first what it talks to.
claim_setup_of() {
    claim "$1, no file: \`hallpass setup $2\` says what is missing" refused "$2"
    claim "$1, no file: and makes none" test ! -e "$3"
    somebodys "$3" "$4"
    claim_wired "$1, somebody's file" "$2" "$3" "${@:5}"
}
refused() { ! "$hallpass" setup "$1" 2>"$HOME/refused" && contains "$HOME/refused" '^hallpass: hint: '; }
somebodys() { # FILE TEXT
    mkdir -p "$(dirname "$1")"
    printf '%s' "$2" >"$1" && chmod 0640 "$1"
}

# agrees FILE SED-OPTION...: the lines that people copy, with the places of the check in them, are those that `setup` wrote.
agrees() {
    local ours
    ours=$(lines "$HOME/written" -e "s|$HOME/installed/||g")
    [ -n "$ours" ] && equal "$(lines "$@")" "$ours"
}
lines() { sed "${@:2}" -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' "$1" | sort; }

[ -x "$hallpass" ] || { printf '%s: no such program; build it, or name it in HALLPASS_BIN\n' "$hallpass" >&2 && exit 1; }
for tool in node npm curl; do
    command -v "$tool" >"$scratch/found" || absent "$tool is not installed"
done
install_package oidc-provider "$oidc_provider"

# From here on, what the surrounding shell says to tools is not the business of a check.
outer_path=$PATH
for name in $(compgen -e); do
    case $name in
    GIT_* | HALLPASS_* | KUBE* | SSH_ASKPASS | DISPLAY | WAYLAND_DISPLAY | *_proxy | *_PROXY) unset "$name" ;;
    esac
done
