# A second authorization server, written by others in another language: Debian's glewlwyd. Sourced after scene.bash.
#
#     apt-get install --no-install-recommends glewlwyd sqlite3
#
# What a client meets here and not at the first one: `token_type` in lower case, members nobody asked for, a refresh token
# of one use whose reuse is answered with an empty body, and no `iss` anywhere. The package may start a server of its own
# with a well-known password: on a machine that others can reach, stop it.

glewlwyd_tables=/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3

glewlwyd_is_here() {
    command -v glewlwyd >"$scratch/found" && command -v sqlite3 >"$scratch/found" && [ -f "$glewlwyd_tables" ]
}

# glewlwyd_api JAR PATH [OPTION...]: one call of its REST interface; fails unless the answer is a 200.
glewlwyd_api() {
    curl -sS --fail -b "$1" -c "$1" -H 'Content-Type: application/json' -o "$scratch/glewlwyd.answer" "$glewlwyd$2" "${@:3}"
}

# Starts it with the client `cli` and the person alice. Sets $issuer, and $glewlwyd, the address of the server.
start_glewlwyd() { # POLL-INTERVAL
    local folder=$scratch/glewlwyd admin=$scratch/glewlwyd.admin port
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
    issuer=$glewlwyd/api/oidc
    glewlwyd_api "$admin" /api/auth/ -d '{"username": "admin", "password": "password"}'
    node - "$issuer" "$1" >"$folder/plugin.json" <<'JS'
const [issuer, interval] = process.argv.slice(2);
const { privateKey, publicKey } = require('crypto').generateKeyPairSync('rsa', { modulusLength: 2048 });
const parameters = {
  iss: issuer, 'jwt-type': 'rsa', 'jwt-key-size': '256', 'jwks-show': true,
  key: privateKey.export({ type: 'pkcs8', format: 'pem' }), cert: publicKey.export({ type: 'spki', format: 'pem' }),
  'access-token-duration': 3600, 'refresh-token-duration': 86400, 'code-duration': 60, 'allow-non-oidc': true,
  'auth-type-code-enabled': true, 'auth-type-device-enabled': true, 'auth-type-refresh-enabled': true,
  'refresh-token-rolling': true, 'refresh-token-one-use': 'always', 'pkce-allowed': true,
  'device-authorization-expiration': 600, 'device-authorization-interval': Number(interval),
  'session-cookie-name': 'oidc', 'session-cookie-expiration': 3600,
};
console.log(JSON.stringify({ module: 'oidc', name: 'oidc', display_name: 'check', parameters }));
JS
    glewlwyd_api "$admin" /api/mod/plugin/ -d "@$folder/plugin.json"
    glewlwyd_api "$admin" /api/scope/ -d '{"name": "offline_access", "display_name": "offline", "password_required": false}'
    glewlwyd_api "$admin" /api/client/ -d '{"client_id": "cli", "name": "cli", "enabled": true, "confidential": false,
        "redirect_uri": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": ["none"], "scope": [],
        "authorization_type": ["code", "refresh_token", "device_authorization"]}'
    glewlwyd_api "$admin" /api/user/ -d '{"username": "alice", "name": "Alice", "password": "password", "enabled": true,
        "email": "alice@example.com", "scope": ["g_profile", "openid", "offline_access"]}'
}
