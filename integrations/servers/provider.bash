# What the checks of authorization servers that others wrote have in common. Sourced after scene.bash.

for name in $(compgen -e); do
    case $name in CI | ACTIONS_* | GITHUB_* | GITLAB_* | BUILDKITE* | CIRCLE* | KUBERNETES_*) unset "$name" ;; esac
done

# account LINE...: the home's configuration is this account alone, `work`, and nobody is signed in to it.
account() {
    printf '%s\n' 'default = "work"' '[account.work]' "issuer = \"$issuer\"" 'serves = ["https://git.example.com"]' "$@" \
        >"$XDG_CONFIG_HOME/hallpass/config.toml"
    chmod 0600 "$XDG_CONFIG_HOME/hallpass/config.toml"
    rm -f "$XDG_DATA_HOME"/hallpass/work*
}
# bare: no configuration at all.
bare() { rm -f "$XDG_CONFIG_HOME/hallpass/config.toml"; }

get() { HALLPASS_INTERACTIVE=never "$hallpass" get "$@" </dev/null; }
fails() { # CODE PATTERN COMMAND...
    local code=$1 pattern=$2 rc=0
    shift 2
    "$@" >"$HOME/fails.out" 2>&1 </dev/null || rc=$?
    equal "$code" "$rc" && contains "$HOME/fails.out" "$pattern"
}
session_of() { [ -e "$XDG_DATA_HOME/hallpass/${1-work}" ]; }
no_session() { ! session_of "$@"; }
in_session() { # MEMBER: of the record of `work`
    node -p 'const text = require("fs").readFileSync(process.argv[1], "utf8"), at = text.indexOf("hallpass-record ");
JSON.parse(text.slice(text.indexOf("\n", at)))[process.argv[2]] ?? ""' "$XDG_DATA_HOME/hallpass/work" "$1"
}
from_json() { node -p "String(JSON.parse(require('fs').readFileSync(0)).$1)"; } # MEMBER: of the JSON on stdin
# bearer URL TOKEN: the status of the answer, which is in $HOME/answer.
bearer() { curl -sS -o "$HOME/answer" -w '%{http_code}' -H @- "$1" <<<"Authorization: Bearer $2"; }

# crowd TOKENS: eight callers at once are all answered, with no more different tokens than that.
crowd() {
    local callers=() caller
    rm -f "$HOME"/caller.*
    for caller in 1 2 3 4 5 6 7 8; do
        get >"$HOME/caller.$caller" &
        callers+=($!)
    done
    for caller in "${callers[@]}"; do wait "$caller" || return 1; done
    equal 8 "$(cat "$HOME"/caller.* | wc -l | tr -d ' ')" && [ "$(sort -u "$HOME"/caller.* | wc -l)" -le "$1" ]
}

# paste ADDRESS-OR-CODE: a sign-in whose answer a person carries over from another machine, where the browser is; a Tcl
# expression of $back, the whole address, and $code.
paste() {
    HALLPASS=$hallpass expect -c '
        set timeout 20
        spawn $env(HALLPASS) login work --no-browser
        expect -re {(http://127\.0\.0\.1:[0-9]+/[^ \r\n]+\?[^ \r\n]+)} {} default { exit 99 }
        set back [exec $env(BROWSER) $expect_out(1,string) carried]
        regexp {code=([^&]+)} $back -> code
        expect {code: } {} default { exit 98 }
        send "'"$1"'\r"
        expect eof
        exit [lindex [wait] 3]'
}
