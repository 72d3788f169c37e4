// The floor: the least that a program can do which writes a token, or what it is given to write. Nothing that starts a process
// can be faster.
#include <string.h>
#include <unistd.h>

int main(int count, char **words) {
    const char *line = count > 1 ? words[1] : "0123456789abcdef0123456789abcdef\n";
    return write(1, line, strlen(line)) > 0 ? 0 : 1;
}
