# A third authorization server: canaille, from PyPI (Flask and Authlib). Sourced after scene.bash.
#
# What a client meets here: registration that is open to anybody, though not for a scope that is not listed
# (`offline_access`); redirect URIs compared to the port; `iss` in every answer; an access token of ten days, and of one hour
# once refreshed; a refresh that takes the access token before it away, so that whoever has just got that one loses it
# (`refresh_ahead = 0` is for such servers); status 500 for the second of two tokens of one second, and the end of its
# session. No revocation without a secret, no device flow, no pushed requests, no DPoP.

canaille_package='canaille[front,oidc,sqlite,server]==0.3.6'

canaille_is_here() {
    command -v python3 >"$scratch/found" || return 1
    canaille_python=$(python3 -c 'import sys; print(sys.executable)') # past a version manager, which looks into HOME
    canaille_library=$(python_package "$canaille_package" with-dependencies)
}

# canaille COMMAND...: the shell becomes it, so that it is what ends when it is told to. Its commands, one after the other, each
# the words of one argument: one start is quicker than three.
canaille() {
    export CANAILLE_CONFIG=$scratch/canaille/conf.toml PYTHONPATH=$canaille_library
    exec "$canaille_python" -c 'import shlex, sys
from canaille.commands import cli
for command in sys.argv[1:]:
    cli(shlex.split(command), standalone_mode=False)' "$@"
}

# Starts it with the person alice. Sets $issuer, and $canaille_log, where every token that it gives leaves a line.
start_canaille() {
    local folder=$scratch/canaille port
    canaille_log=$folder/log
    mkdir "$folder"
    # It cannot choose a free port itself; the one chosen for it may be taken in between.
    for _ in 1 2 3; do
        port=$(free_port)
        issuer=http://127.0.0.1:$port
        canaille_configuration "$folder" "$port" >"$folder/conf.toml"
        [ -e "$folder/db" ] || canaille_people
        canaille "run --bind 127.0.0.1:$port --graceful-timeout 0.1" >"$canaille_log" 2>&1 &
        pids+=($!)
        if soon 60 curl -sS --fail -o "$folder/up" "$issuer/.well-known/openid-configuration" 2>"$folder/curl.log"; then return; fi
    done
    cat "$canaille_log" >&2
    return 1
}

canaille_configuration() { # FOLDER PORT
    node - "$@" <<'JS'
const [folder, port] = process.argv.slice(2);
const { privateKey } = require('crypto').generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: 'check' };
console.log(`SECRET_KEY = "check"
SERVER_NAME = "127.0.0.1:${port}"
PREFERRED_URL_SCHEME = "http"
[CANAILLE]
DATABASE = "sql"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///${folder}/db"
[CANAILLE_OIDC]
DYNAMIC_CLIENT_REGISTRATION_OPEN = true
ACTIVE_JWKS = [{ ${Object.entries(key).map(([name, value]) => `${name} = "${value}"`).join(', ')} }]`);
JS
}

canaille_people() {
    (canaille install "create user --quiet --user-name alice --password 'password of alice' --emails alice@example.com
        --formatted-name 'Alice Liddell' --family-name Liddell") >"$scratch/canaille/install.log" 2>&1 ||
        { cat "$scratch/canaille/install.log" >&2 && return 1; }
}

# canaille_browser accept|deny: the browser of alice, who fills in the pages that she is sent to, one after the other.
# `browser URL carried` says where it would go in the end.
canaille_browser() {
    cat >"$HOME/browser" <<SH
#!/usr/bin/env bash
set -eu
echo "\$1" >>"$pages"
go() { curl -sS -b "$HOME/jar" -c "$HOME/jar" -o "$HOME/page.html" -w '%{redirect_url}' "\$@"; }
follow() { # ADDRESS: to the next page; the loopback address is not a page of the server
    at=\$1
    while next=\$(go "\$at") && [ -n "\$next" ]; do
        case \$next in "$issuer"/*) at=\$next ;; *) leave "\$next" ;; esac
    done
}
leave() {
    if [ "\$arrived" -gt 1 ]; then printf '%s' "\$1"; else go "\$1"; fi
    exit 0
}
arrived=\$#
follow "\$1"
for page in 1 2 3 4; do
    case \$at in
    */login*) field='login=alice' ;;
    */auth/password*) field='password=password of alice' ;;
    */oauth/authorize*) field='answer=$1' ;;
    *) exit 1 ;;
    esac
    csrf=\$(sed -n 's/.*name="csrf_token"[^>]*value="\([^"]*\)".*/\1/p' "$HOME/page.html" | head -n 1)
    next=\$(go --data-urlencode "csrf_token=\$csrf" --data-urlencode "\$field" "\$at")
    case \$next in "$issuer"/*) follow "\$next" ;; '') exit 1 ;; *) leave "\$next" ;; esac
done
exit 1
SH
}

# canaille_client JSON: registers a client; the answer is on stdout.
canaille_client() {
    curl -sS --fail -H 'Content-Type: application/json' -d "$1" "$issuer/oauth/register"
}
