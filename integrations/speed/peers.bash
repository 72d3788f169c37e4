# The other helpers that are installed here: each has one token, in the store that it uses by itself. Sourced by `measure`.
#
# A row's name is three cells: what, where it keeps the token, and the door by which hallpass is asked the same. A peer that
# is not installed is left out with a line on stderr; as is one that does not answer with its token (`answering`).

in_file='a file' in_seal='a sealed file, its key in the kernel'

peer() { row "$1 | $2 | $3" "${@:4}"; }
left_out() { printf 'measure: %s is left out: %s\n' "$@" >&2; }
here() { command -v "$1" >"$scratch/found" || { left_out "$1" 'not installed' && return 1; } }

# our_rows DOOR...: hallpass at these doors, as peers of itself.
our_rows() {
    local door
    for door in "$@"; do
        sed -n -e "s/^$door, plain\t/hallpass | $in_file | $door\t/p" -e "s/^$door, sealed\t/hallpass | $in_seal | $door\t/p" "$scratch/doors"
    done
}

# Helpers that read a file or ask a daemon of their own. Before those of a door comes hallpass by it: like them, it then
# follows another program.
fast_peers() {
    our_rows git
    git_peers
    our_rows get
    if here oidc-agent; then oidc_agent_peer; fi
    if here pizauth; then pizauth_peer; fi
    our_rows kubectl
    if here gke-gcloud-auth-plugin; then gke_peer; fi
}

# Helpers that ask the keychain over D-Bus, or start an interpreter or a large program: whoever follows one of those feels
# what it left behind.
slow_peers() {
    local keychain=''
    if [ "${#kinds[@]}" -eq 2 ]; then
        keychain=$(gnome-keyring-daemon --version | sed -n 's/^gnome-keyring-daemon: /GNOME Keyring /p')
    else
        left_out 'what asks a keychain' 'none could be started'
    fi
    our_rows git docker get
    if [ -n "$keychain" ]; then libsecret_peer; fi
    if here gh; then gh_peer; fi
    if [ -n "$keychain" ] && here docker-credential-secretservice; then docker_peer; fi
    if [ -n "$keychain" ] && here secret-tool; then secret_tool_peer; fi
    if [ -n "$keychain" ]; then python_peer; fi
}

git_peers() {
    local exec version
    exec=$(git --exec-path)
    version=$(git version | awk '{ print $3 }')
    printf 'https://oauth2:%s@peer.example.com\n' "$token" >"$scratch/credentials"
    chmod 0600 "$scratch/credentials"
    peer "git-credential-store $version" 'a file' git "$scratch/git.peer" "$exec/git-credential-store" --file "$scratch/credentials" get
    cached=("$exec/git-credential-cache" --socket "$scratch/cache/socket")
    mkdir -m 0700 "$scratch/cache"
    "${cached[@]}" store <"$scratch/git-store.peer"
    peer "git-credential-cache $version" 'its daemon' git "$scratch/git.peer" "${cached[@]}" get
}

# Both sign in as a person does, with a browser that says yes, to the authorization server of the checks. oidc-agent
# authenticates by HTTP Basic whatever the client is: one without a secret is told that "No flow was successful".
oidc_agent_peer() {
    local home=$scratch/oidc-agent socket=$scratch/oidc-agent/socket
    mkdir -p -m 0700 "$home/.oidc-agent"
    echo password >"$home/password"
    : >"$home/gen"
    HOME=$home oidc-agent --console --quiet --socket-path="$socket" >"$home/log" 2>&1 &
    pids+=($!)
    soon 10 test -S "$socket" || { left_out oidc-token 'its daemon did not start' && return 0; }
    HOME=$home OIDC_SOCK=$socket timeout 60 oidc-gen peer --issuer="$issuer" --manual --client-id=oidc-agent --client-secret=oidc-agent-secret \
        --redirect-uri="http://localhost:$(free_port)" --scope='openid offline_access' --flow=code --no-url-call \
        --pw-file="$home/password" --confirm-default --prompt=none >"$home/gen" 2>&1 </dev/null &
    local generator=$!
    soon 20 grep -q '^http' "$home/gen" && curl -sSL -b '' -o "$home/page" "$(grep -m 1 '^http' "$home/gen")" || true
    wait "$generator" || true
    peer "oidc-token $(oidc-token --version | awk '{ print $2 }')" 'its daemon' get - "HOME=$home" "OIDC_SOCK=$socket" "$(command -v oidc-token)" peer
}

pizauth_peer() {
    local home=$scratch/pizauth
    mkdir -m 0700 "$home"
    cat >"$home/pizauth.conf" <<CONF
https_listen = none;
auth_notify_cmd = "curl -sSL -b '' -o $home/page \"\$PIZAUTH_URL\"";
account "peer" {
    auth_uri = "$issuer/auth";
    token_uri = "$issuer/token";
    client_id = "cli";
    redirect_uri = "http://127.0.0.1/callback";
    scopes = ["openid", "offline_access"];
    auth_uri_fields = { "prompt": "consent" };
}
CONF
    SHELL=/bin/sh XDG_CONFIG_HOME=$home XDG_RUNTIME_DIR=$home pizauth server -d >"$home/log" 2>&1 &
    pids+=($!)
    # Asked earlier it ends, and so does its daemon.
    soon 10 test -S "$home/pizauth/pizauth.sock" || { left_out pizauth 'its daemon did not start' && return 0; }
    XDG_RUNTIME_DIR=$home soon 20 pizauth show peer >"$home/shown" 2>&1 || true
    peer "pizauth $(XDG_CONFIG_HOME=$home XDG_RUNTIME_DIR=$home pizauth info | sed -n 's/^pizauth version \(.*\):/\1/p')" 'its daemon' get - "XDG_RUNTIME_DIR=$home" "$(command -v pizauth)" show peer
}

# A cluster's token as gcloud would have brought it; without gcloud on its PATH it has nothing else to answer with.
gke_peer() {
    local home=$scratch/gke
    mkdir -m 0700 "$home"
    printf 'apiVersion: v1\nkind: Config\ncurrent-context: peer\ncontexts:\n- name: peer\n  context: {cluster: peer, user: peer}\n' >"$home/config"
    printf '{"current_context": "peer", "access_token": "%s", "token_expiry": "%s", "extra_args": ""}' \
        "$token" "$(date -u -d '+1 day' +%FT%TZ)" >"$home/gke_gcloud_auth_plugin_cache"
    chmod 0600 "$home"/*
    peer "gke-gcloud-auth-plugin $(gke-gcloud-auth-plugin --version | awk '{ print substr($2, 2, 14) }')" 'a file' kubectl - \
        "KUBECONFIG=$home/config" PATH=/nowhere "$(command -v gke-gcloud-auth-plugin)"
}

# The version of a Debian package; these programs do not say theirs.
debian() { dpkg-query -W -f '${source:Upstream-Version}' "$1" 2>"$scratch/found" || true; }

libsecret_peer() {
    local program
    if program=$(libsecret_helper) && "$program" store <"$scratch/git-store.peer" >"$scratch/found"; then
        peer "git-credential-libsecret $(debian git)" "$keychain" git "$scratch/git.peer" "$program" get
    fi
}

docker_peer() {
    local program
    program=$(command -v docker-credential-secretservice)
    printf 'peer.example.com' >"$scratch/docker.peer"
    printf '{"ServerURL":"peer.example.com","Username":"oauth2","Secret":"%s"}' "$token" | "$program" store
    peer "docker-credential-secretservice $(debian golang-docker-credential-helpers)" "$keychain" docker "$scratch/docker.peer" "$program" get
}

secret_tool_peer() {
    printf '%s' "$token" | secret-tool store --label peer service peer
    peer "secret-tool $(debian libsecret-tools)" "$keychain" get - "$(command -v secret-tool)" lookup service peer
}

python_peer() {
    local python folder
    if python=$(python3 -c 'import sys; print(sys.executable)') && folder=$(python_package keyring==25.7.0 with-dependencies) &&
        PYTHONPATH=$folder "$python" -m keyring set peer oauth2 <<<"$token"; then
        peer 'python keyring 25.7.0' "$keychain" get - "PYTHONPATH=$folder" "$python" -m keyring get peer oauth2
    else
        left_out 'python keyring' 'not to be had from PyPI'
    fi
}

# The path of git-credential-libsecret, which Debian's git brings as a source only; built once, in the target folder.
libsecret_helper() {
    local name=git-credential-libsecret source=/usr/share/doc/git/contrib/credential/libsecret
    if command -v "$name"; then return; fi
    mkdir -p "$modules/$name"
    if [ ! -x "$modules/$name/$name" ] && ! make -C "$modules/$name" -f "$source/Makefile" VPATH="$source" >"$scratch/make.log" 2>&1; then
        left_out "$name" "not installed, and not built: git's contrib, libsecret-1-dev, make and gcc are needed"
        return 1
    fi
    printf '%s\n' "$modules/$name/$name"
}

gh_peer() {
    mkdir -p "$XDG_CONFIG_HOME/gh"
    printf 'peer.example.com:\n    user: oauth2\n    oauth_token: %s\n    git_protocol: https\n' "$token" >"$XDG_CONFIG_HOME/gh/hosts.yml"
    peer "gh $(gh --version | awk 'NR == 1 { print $3 }')" 'a file' git "$scratch/git.peer" "$(command -v gh)" auth git-credential get
}

# The rows on stdin that answer with the token; of a token that the server has given out, the server says whose it is.
answering() {
    local line
    while read -r line; do
        if call "$line" "DBUS_SESSION_BUS_ADDRESS=${DBUS_SESSION_BUS_ADDRESS-}" timeout 20 >"$scratch/answer" 2>"$scratch/answer.log" &&
            { grep -qF -- "$token" "$scratch/answer" || is_of_alice "$scratch/answer"; }; then
            printf '%s\n' "$line"
        else
            left_out "${line%% | *}" 'it did not answer with its token'
        fi
    done
}
is_of_alice() {
    sed 's/^/header = "Authorization: Bearer /; s/$/"/' "$1" | curl -sS --fail -K - "$issuer/me" 2>"$scratch/answer.log" | grep -q '"alice"'
}
