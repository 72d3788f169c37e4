# A second authorization server, written by others in another language: Debian's glewlwyd. Sourced after scene.bash.
#
#     apt-get install --no-install-recommends glewlwyd sqlite3
#
# What a client meets here and not at the first one: `token_type` in lower case, members nobody asked for, a "no" with a
# status alone (400 for a refresh token that was used before, 403 for a client), redirect URIs compared to the port, a
# secret in the header that is not decoded, and no `iss` unless it is switched on. The package may start a server of its own
# with a well-known password: on a machine that others can reach, stop it.

glewlwyd_tables=/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3

glewlwyd_is_here() {
    command -v glewlwyd >"$scratch/found" && command -v sqlite3 >"$scratch/found" && [ -f "$glewlwyd_tables" ]
}

# glewlwyd_api JAR PATH [OPTION...]: one call of its REST interface; fails unless the answer is a 200.
glewlwyd_api() {
    curl -sS --fail-with-body -b "$1" -c "$1" -H 'Content-Type: application/json' -o "$scratch/glewlwyd.answer" \
        "$glewlwyd$2" "${@:3}" || { cat "$scratch/glewlwyd.answer" >&2 && return 1; }
}

# Starts it with the client `cli` and the person alice. Sets $issuer, and $glewlwyd, the address of the server.
start_glewlwyd() { # POLL-INTERVAL
    local folder=$scratch/glewlwyd port
    glewlwyd_admin=$scratch/glewlwyd.admin
    mkdir "$folder"
    sqlite3 "$folder/db" <"$glewlwyd_tables"
    # It cannot choose a free port itself; the one chosen for it may be taken in between.
    for _ in 1 2 3; do
        port=$(free_port)
        glewlwyd=http://127.0.0.1:$port
        cat >"$folder/conf" <<CONF
port=$port
bind_address="127.0.0.1"
external_url="$glewlwyd"
login_url="login.html"
api_prefix="api"
cookie_secure=0
log_mode="console"
log_level="WARNING"
session_expiration=3600
session_key="session"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
database = { type = "sqlite3" path = "$folder/db" };
CONF
        glewlwyd --config-file="$folder/conf" >"$folder/log" 2>&1 &
        pids+=($!)
        if soon 10 curl -sS --fail -o "$folder/up" "$glewlwyd/config" 2>"$folder/curl.log"; then break; fi
    done
    glewlwyd_api "$glewlwyd_admin" /api/auth/ -d '{"username": "admin", "password": "password"}'
    glewlwyd_plugin oidc "{\"device-authorization-interval\": $1}"
    issuer=$glewlwyd/api/oidc
    glewlwyd_api "$glewlwyd_admin" /api/scope/ -d '{"name": "offline_access", "display_name": "offline", "password_required": false}'
    glewlwyd_client cli '{"redirect_uri": ["http://127.0.0.1/callback"]}'
    glewlwyd_api "$glewlwyd_admin" /api/user/ -d '{"username": "alice", "name": "Alice", "password": "password", "enabled": true,
        "email": "alice@example.com", "scope": ["g_profile", "openid", "offline_access"]}'
}

# glewlwyd_plugin NAME JSON: an authorization server of its own at /api/NAME, with these parameters beside the usual ones.
glewlwyd_plugin() {
    node - "$glewlwyd" "$@" >"$scratch/glewlwyd/plugin.json" <<'JS'
const [at, name, more] = process.argv.slice(2);
const { privateKey, publicKey } = require('crypto').generateKeyPairSync('rsa', { modulusLength: 2048 });
const parameters = {
  iss: `${at}/api/${name}`, 'jwt-type': 'rsa', 'jwt-key-size': '256', 'jwks-show': true,
  key: privateKey.export({ type: 'pkcs8', format: 'pem' }), cert: publicKey.export({ type: 'spki', format: 'pem' }),
  'access-token-duration': 3600, 'refresh-token-duration': 86400, 'code-duration': 60, 'allow-non-oidc': true,
  'auth-type-code-enabled': true, 'auth-type-device-enabled': true, 'auth-type-refresh-enabled': true,
  'refresh-token-rolling': true, 'refresh-token-one-use': 'always', 'pkce-allowed': true,
  'device-authorization-expiration': 600, 'device-authorization-interval': 1,
  'session-cookie-name': name, 'session-cookie-expiration': 3600, ...JSON.parse(more),
};
console.log(JSON.stringify({ module: 'oidc', name, display_name: 'check', parameters }));
JS
    glewlwyd_api "$glewlwyd_admin" /api/mod/plugin/ -d "@$scratch/glewlwyd/plugin.json"
}

# glewlwyd_client ID JSON: a client, with these members beside the usual ones.
glewlwyd_client() {
    node -p 'const [id, more] = process.argv.slice(1); JSON.stringify({ client_id: id, name: id, enabled: true,
        confidential: false, redirect_uri: [], token_endpoint_auth_method: ["none"], scope: [],
        authorization_type: ["code", "refresh_token", "device_authorization"], ...JSON.parse(more) })' "$1" "$2" |
        glewlwyd_api "$glewlwyd_admin" /api/client/ -d @-
}

# glewlwyd_browser yes|no: the browser of alice, who grants what she is asked for or leaves it at that; it does what the
# script on its pages does. `browser URL carried` says where it would go in the end.
glewlwyd_browser() {
    cat >"$HOME/browser" <<SH
#!/usr/bin/env bash
set -eu
echo "\$1" >>"$pages"
at() { curl -sS -b "$HOME/jar" -c "$HOME/jar" -o "$HOME/page.html" -H 'Content-Type: application/json' "\$@"; }
at --fail -d '{"username": "alice", "password": "password"}' $glewlwyd/api/auth/
[ $1 = yes ] || exit 0
client=\$(sed -n 's/.*[?&]client_id=\([^&]*\).*/\1/p' <<<"\$1")
at --fail -X PUT -d '{"scope": "openid offline_access"}' "$glewlwyd/api/auth/grant/\$client"
if [ \$# -gt 1 ]; then at -w '%{redirect_url}' "\$1&g_continue"; else at -L "\$1&g_continue"; fi
SH
}
