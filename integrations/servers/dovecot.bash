# A mailbox that others wrote: Debian's dovecot, which asks the authorization server at every sign-in whose token it was
# given. Sourced after scene.bash.
#
#     apt-get install --no-install-recommends dovecot-imapd
#
# The token is taken for a password too, by PLAIN and LOGIN, up to 2.3: a 2.4 would ask the authorization server for another.
# It runs in the foreground with a configuration of its own, in the scratch folder; the package's own service is not needed.

dovecot_is_here() {
    PATH=$PATH:/usr/sbin command -v dovecot >"$scratch/found" && [ -x /usr/lib/dovecot/imap ]
}

# start_dovecot CERT KEY: sets ${port[imap]} and ${port[imaps]}; the mailbox of alice lies in $mailbox, what was said of
# sign-ins in $dovecot_log.
start_dovecot() {
    local folder=$scratch/dovecot people owner grammar
    mkdir -p "$folder/mail"
    mailbox=$folder/mail dovecot_log=$folder/log
    : >"$dovecot_log"
    if [ "$(id -u)" -eq 0 ]; then # which must not read mail: the package's own people do
        owner=dovecot people=
        chmod 0711 "$scratch" && chown -R dovecot "$folder/mail"
    else
        owner=$(id -un)
        people="default_internal_user = $owner
default_internal_group = $(id -gn)
default_login_user = $owner
service anvil { chroot = }
service imap-login { chroot = }"
    fi
    case $(PATH=$PATH:/usr/sbin dovecot --version) in
    2.[0-3].*) grammar=dovecot_2_3 ;;
    *) grammar=dovecot_2_4 ;;
    esac
    for _ in 1 2 3; do
        port[imap]=$(free_port) port[imaps]=$(free_port)
        { "$grammar" "$@" && dovecot_in_common; } >"$folder/dovecot.conf"
        PATH=$PATH:/usr/sbin dovecot -F -c "$folder/dovecot.conf" >"$folder/out" 2>&1 &
        pids+=($!)
        if soon 10 curl -sS -o "$folder/up" --max-time 2 "imap://127.0.0.1:${port[imap]}/" -X CAPABILITY 2>"$folder/curl.log"; then return; fi
    done
    cat "$folder/out" "$dovecot_log" >&2
    return 1
}

dovecot_in_common() {
    cat <<CONF
base_dir = $folder/run
state_dir = $folder/state
log_path = $dovecot_log
auth_verbose = yes
listen = 127.0.0.1
$people
ssl = yes
first_valid_uid = 1
first_valid_gid = 1
service imap-login {
  inet_listener imap {
    port = ${port[imap]}
  }
  inet_listener imaps {
    port = ${port[imaps]}
  }
}
CONF
}

dovecot_2_3() { # CERT KEY
    cat >"$folder/oauth2.conf" <<CONF
introspection_mode = auth
introspection_url = $issuer/me
username_attribute = sub
CONF
    cat <<CONF
protocols = imap
disable_plaintext_auth = no
ssl_cert = <$1
ssl_key = <$2
auth_mechanisms = plain login xoauth2 oauthbearer
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = $folder/oauth2.conf
}
passdb {
  driver = oauth2
  mechanisms = plain login
  args = $folder/oauth2.conf
}
userdb {
  driver = static
  args = uid=$owner gid=$(id -g "$owner") home=$mailbox
}
mail_location = maildir:$mailbox/Maildir
CONF
}

dovecot_2_4() { # CERT KEY
    cat <<CONF
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols {
  imap = yes
}
auth_allow_cleartext = yes
ssl_server_cert_file = $1
ssl_server_key_file = $2
auth_mechanisms {
  xoauth2 = yes
  oauthbearer = yes
}
oauth2 {
  introspection_mode = auth
  introspection_url = $issuer/me
  username_attribute = sub
}
passdb oauth2 {
}
userdb static {
  fields {
    uid = $owner
    gid = $(id -g "$owner")
    home = $mailbox
  }
}
mail_driver = maildir
mail_path = $mailbox/Maildir
CONF
}
