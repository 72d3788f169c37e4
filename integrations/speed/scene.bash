# What is measured: a home with two accounts, one in a plain file and one sealed, and the calls of the tools for them.
# Sourced by `check` and `measure`.

# A static program is what the figures are about; with the debug build they would say nothing.
HALLPASS_BIN=${HALLPASS_BIN:-$(dirname "${BASH_SOURCE[0]}")/../../target/x86_64-unknown-linux-musl/release/hallpass}
HALLPASS_BIN=$(realpath "$HALLPASS_BIN")
source "$(dirname "${BASH_SOURCE[0]}")/../servers/scene.bash"

# A token of 900 characters, as long as those of the large providers.
token=$(head -c 675 /dev/urandom | base64 -w 0 | tr '+/' '-_')

# start_keychain: a D-Bus session of our own with an open gnome-keyring on it; false where the programs are missing.
start_keychain() {
    local program
    for program in dbus-daemon gnome-keyring-daemon; do command -v "$program" >"$scratch/found" || return 1; done
    : >"$scratch/keyring.log"
    mkdir -m 0700 "$scratch/run"
    dbus-daemon --session --nofork --address="unix:path=$scratch/run/bus" 2>"$scratch/bus.log" &
    pids+=($!)
    export DBUS_SESSION_BUS_ADDRESS=unix:path=$scratch/run/bus
    soon 10 test -S "$scratch/run/bus" || return 1
    printf 'password' | HOME=$scratch XDG_RUNTIME_DIR=$scratch/run XDG_DATA_HOME=$scratch/keyrings \
        gnome-keyring-daemon --foreground --unlock --components=secrets >"$scratch/keyring.log" 2>&1 &
    pids+=($!)
    soon 10 grep -q 'SSH_AUTH_SOCK\|GNOME_KEYRING_CONTROL' "$scratch/keyring.log" || true
}

# new_scene: HOME with `plain`, and with `sealed` if there is a keychain.
new_scene() {
    export HOME=$scratch/home
    export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share HALLPASS_INTERACTIVE=never
    mkdir -p "$XDG_CONFIG_HOME/hallpass" "$XDG_DATA_HOME"
    cat >"$XDG_CONFIG_HOME/hallpass/config.toml" <<'TOML'
default = "plain"

[account.plain]
flow = "token"
store = "file"
serves = ["https://plain.example"]

[account.sealed]
flow = "token"
store = "keychain"
serves = ["https://sealed.example"]
TOML
    chmod 0600 "$XDG_CONFIG_HOME/hallpass/config.toml"
    kinds=(plain)
    "$hallpass" login plain --token-stdin <<<"$token" 2>"$scratch/login.log"
    if start_keychain && "$hallpass" login sealed --token-stdin <<<"$token" 2>"$scratch/login.log"; then
        kinds+=(sealed)
    fi
    sleep 2.1 # until then a configuration may still change unseen, and has no routes
    local kind
    for kind in "${kinds[@]}"; do "$hallpass" get "$kind" >"$scratch/get.out"; done
}

# What was just written lies in memory in larger pieces than what was read from the disk, and takes fewer page faults. From
# here on the program is a copy that has been read.
as_after_a_restart() {
    cp "$hallpass" "$scratch/hallpass"
    hallpass=$scratch/hallpass
    sync "$hallpass"
    dd if="$hallpass" iflag=nocache count=0 status=none
}

# The calls of the doors, as lines for `spawn`: NAME, the file on stdin, variables and words, with tabs between them.
doors() { # KIND
    local place=https://$1.example host=$1.example
    local cluster="{\"server\":\"$place\"}"
    printf 'protocol=https\nhost=%s\n\n' "$host" >"$scratch/git.$1"
    printf 'protocol=https\nhost=%s\nusername=oauth2\npassword=%s\n\n' "$host" "$token" >"$scratch/git-store.$1"
    printf '%s' "$host" >"$scratch/docker.$1"
    printf '{"v":1,"registry":{"index-url":"sparse+%s/"},"kind":"get","operation":"read"}\n' "$place" >"$scratch/cargo.$1"
    printf '{"url":"%s"}\n' "$place" >"$scratch/json.$1"
    local info="{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"spec\":{\"interactive\":false,\"cluster\":$cluster}}"
    {
        row "git, $1" "$scratch/git.$1" "$hallpass" git get
        row "git store, $1" "$scratch/git-store.$1" "$hallpass" git store
        row "kubectl, $1" - "KUBERNETES_EXEC_INFO=$info" "$hallpass" kubectl
        row "docker, $1" "$scratch/docker.$1" "$hallpass" docker get
        row "cargo, $1" "$scratch/cargo.$1" "$hallpass" cargo --cargo-plugin
        row "json, $1" "$scratch/json.$1" "$hallpass" json get
        row "get, $1" - "$hallpass" get "$1"
        row "header, $1" - "$hallpass" header "$1"
    }
}

# timer: builds `spawn` and the floor, and sets $floor to its row.
timer() {
    local program
    for program in spawn floor; do
        musl-gcc -static -O2 -Wall -Wextra -Werror -o "$scratch/$program" "$repository/integrations/speed/$program.c"
    done
    floor=$(row floor - "$scratch/floor")
}

row() { (IFS=$'\t' && printf '%s\n' "$*"); }

# call ROW [BEFORE...]: runs what a row says, behind BEFORE. Each variable of the environment is looked at for each one that
# is asked for, so here there are always the same few.
call() {
    local words=() name=$1 input
    shift
    IFS=$'\t' read -ra words <<<"$name"
    input=${words[1]}
    [ "$input" != - ] || input=/dev/null
    env -i HOME="$HOME" PATH="$PATH" LANG=C XDG_CONFIG_HOME="$XDG_CONFIG_HOME" XDG_DATA_HOME="$XDG_DATA_HOME" \
        "$@" env "${words[@]:2}" <"$input"
}

# instructions ROW: how many instructions the program executes itself, without the system's. Nothing is said of programs
# that do not run in valgrind, as those in Go.
instructions() {
    call "$1" valgrind --tool=callgrind --callgrind-out-file="$scratch/callgrind.out" --trace-children=yes \
        >"$scratch/answer" 2>"$scratch/valgrind.log" || true
    sed -n 's/.*Collected : //p' "$scratch/valgrind.log" | tail -n 1
}

# pages ROW: how many of the program's own pages of 4 KiB it touches: code, constants and variables.
pages() {
    local start
    call "$1" valgrind --tool=lackey --trace-mem=yes --trace-children=yes --log-file="$scratch/touched" >"$scratch/answer" || true
    start=$(printf '%d' 0x400000) # where a static program lies that cannot be moved
    awk -v start="$start" -v end=$((start + $(stat -Lc %s "$hallpass"))) '
        function number(text, at, value) {
            for (at = 1; at <= length(text); at++) value = value * 16 + index("123456789abcdef", substr(text, at, 1))
            return value
        }
        /^(I | [LSM]) +[0-9a-f]+,/ { sub(/,.*/, "", $2); page = substr($2, 1, length($2) - 3); seen[page] }
        END {
            for (page in seen) if (number(page) * 4096 >= start && number(page) * 4096 < end) count++
            print count + 0
        }' "$scratch/touched"
}

# trace ROW: its system calls, from the one that makes it the program; the answer is in $scratch/answer.
trace() {
    call "$1" strace -f -o "$scratch/trace" >"$scratch/answer"
    local word
    word=$(awk -F '\t' '{ for (i = 3; i <= NF; i++) if ($i ~ "^/") { print $i; exit } }' <<<"$1")
    sed -n "\\|execve(\"$word\"|,\$p" "$scratch/trace" | sed -n 's/^[0-9]* *\([a-z_0-9]*(\)/\1/p'
}
