# OpenBao, Vault and hallpass: `hallpass setup openbao` (or vault) writes this line into ~/.bao (~/.vault). The helper is one
# whole path without arguments and without blanks: `hallpass link DIR` makes it.
#
# At a server that an account serves, the token is that account's. Any other server's is kept by `bao login`.
token_helper = "/home/me/bin/hallpass-vault"
