# Homes that have grown: many accounts in the configuration, many passwords kept for places that no account serves. Sourced
# by `measure`.

# grown_home ACCOUNTS KEPT: rows of three questions to it. A row's name is four cells.
grown_home() {
    local home=$scratch/grown-$1-$2 config with place question
    config=$home/config/hallpass/config.toml
    mkdir -p "$home/config/hallpass" "$home/data"
    {
        printf 'default = "a1"\nkeep = "always"\n'
        seq "$1" | awk '{ printf "\n[account.a%d]\nflow = \"token\"\nserves = [\"https://a%d.example.com\"]\n", $1, $1 }'
    } >"$config"
    chmod 0600 "$config"
    with=("HOME=$home" HALLPASS_STORE=file "XDG_CONFIG_HOME=$home/config" "XDG_DATA_HOME=$home/data")
    env "${with[@]}" "$hallpass" login a1 --token-stdin <<<"$token" 2>"$scratch/login.log"
    sleep 2.1
    for place in a1 p1 "p$2"; do
        printf 'protocol=https\nhost=%s.example.com\n\n' "$place" >"$scratch/git.$place"
        printf 'protocol=https\nhost=%s.example.com\nusername=oauth2\npassword=%s\n\n' "$place" "$token" >"$scratch/git-store.$place"
    done
    env "${with[@]}" "$hallpass" git store <"$scratch/git-store.p1"
    node "$servers/keep-more.mjs" "$home/data/hallpass" "$2"
    for place in a1 "p$2"; do
        env "${with[@]}" "$hallpass" git get <"$scratch/git.$place" >"$scratch/answer"
        grep -qF -- "$token" "$scratch/answer"
    done
    question="$1 | $(stat -c %s "$config") | $2"
    row "$question | git get, served" "$scratch/git.a1" "${with[@]}" "$hallpass" git get
    row "$question | git get, kept" "$scratch/git.p$2" "${with[@]}" "$hallpass" git get
    row "$question | git store, kept" "$scratch/git-store.p$2" "${with[@]}" "$hallpass" git store
}
