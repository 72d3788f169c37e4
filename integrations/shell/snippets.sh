# hallpass in the shell: lines to copy. The check beside this file runs them, with its own server for api.example.com.

# curl, with the whole header on its stdin: the token is in no process list and in no variable.
hallpass header https://api.example.com | curl -sS -H @- https://api.example.com/me
echo

# curl before 7.55 reads no header from a file; its configuration, on stdin too, says the same.
hallpass header https://api.example.com | sed 's/.*/header = "&"/' | curl -sS -K - https://api.example.com/me
echo

# A token in a variable. On a line of its own a failure is seen by `set -e`; in `export TOKEN=$(...)`, in `local` and
# inside an argument the shell drops it, and the request goes out with an empty token.
TOKEN=$(hallpass get) || exit
curl -sS -H @- https://api.example.com/me <<<"Authorization: Bearer $TOKEN"
echo

# In a loop or in a script that is piped into a shell, stdin belongs to the script: hallpass leaves it alone.
printf '%s\n' first second | while read -r line; do
    TOKEN=$(hallpass get https://api.example.com) || exit
    printf '%s: %s characters\n' "$line" "${#TOKEN}"
done

# wget asks a program for user name and password, for hosts that want Basic; `hallpass link DIR` makes it. It leaves the port
# out of its question, so the account serves the host without one.
# wget --use-askpass=hallpass-askpass https://files.example.com/letter.txt
