# hallpass in the shell: lines to copy. The check beside this file runs them, with its own server for api.example.com.

# curl, with the whole header on its stdin: the token is in no process list and in no variable.
hallpass header https://api.example.com | curl -sS -H @- https://api.example.com/me
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
