// Starts programs in turn and says how long each took.
//
//   spawn ROUNDS FILE          each line of FILE in rotation, ROUNDS times
//   spawn -p COUNT ROUNDS FILE the one line of FILE, COUNT processes at once, ROUNDS times
//
// A line is NAME, the file for stdin, variables (A=B) and the words of the command, with tabs between them. The first line is
// the floor: before it one more is started and not counted, because it would feel what the last of the round left behind in
// the caches. A program that fails ends the run: what is timed must work. `-` as the file is nothing on stdin.
//
// stdout, for each line: NAME, then in microseconds p50, p99 and the p50 of the processor time, then the peak RSS in KiB.
// With -p: NAME, the p50 of the makespan, the p50 and the p99 of a process.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 64, WORDS = 64 };

extern char **environ;

struct line {
    const char *name, *input;
    char **environment, *words[WORDS];
    double *wall, *cpu;
    long rss;
};

static void stop(const char *name, const char *why) {
    fprintf(stderr, "spawn: %s: %s\n", name, why);
    exit(1);
}

static void *room(size_t bytes) {
    void *found = calloc(1, bytes);
    if (!found) stop("memory", "there is none");
    return found;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int rising(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double part(double *values, int count, int hundredths) {
    qsort(values, count, sizeof *values, rising);
    return values[(long)(count - 1) * hundredths / 100];
}

static int read_lines(const char *path, struct line *lines, int rounds) {
    FILE *file = fopen(path, "r");
    if (!file) stop(path, strerror(errno));
    size_t size = 0, inherited = 0;
    while (environ[inherited]) inherited++;
    int count = 0;
    for (char *text = NULL; getline(&text, &size, file) > 0; text = NULL, size = 0) {
        if (count == LINES) stop(path, "too many lines");
        struct line *line = &lines[count++];
        char *rest = NULL;
        line->name = strtok_r(text, "\t\n", &rest);
        line->input = strtok_r(NULL, "\t\n", &rest);
        line->environment = room((inherited + WORDS) * sizeof(char *));
        int variables = 0, words = 0;
        for (char *word; (word = strtok_r(NULL, "\t\n", &rest));) {
            if (words == WORDS - 1 || variables == WORDS - 1) stop(path, "too many words");
            if (!words && strchr(word, '=') && *word != '/') line->environment[variables++] = word;
            else line->words[words++] = word;
        }
        if (!words) stop(path, "a line has no command");
        // The first of two variables with one name is the one that counts.
        memcpy(line->environment + variables, environ, inherited * sizeof *environ);
        line->wall = room(rounds * sizeof *line->wall);
        line->cpu = room(rounds * sizeof *line->cpu);
    }
    fclose(file);
    if (!count) stop(path, "it is empty");
    return count;
}

static pid_t start(const struct line *line, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int silent = !strcmp(line->input, "-");
    posix_spawn_file_actions_addopen(&actions, 0, silent ? "/dev/null" : line->input, O_RDONLY, 0);
    if (output < 0) posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    else posix_spawn_file_actions_adddup2(&actions, output, 1);
    pid_t pid;
    int error = posix_spawn(&pid, line->words[0], &actions, NULL, line->words, line->environment);
    if (error) stop(line->words[0], strerror(error));
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

// The wall time from the start until the process is reaped; its own processor time and its peak RSS go into *usage.
static double run(const struct line *line, struct rusage *usage) {
    int ends[2], status;
    char buffer[4096];
    if (pipe2(ends, O_CLOEXEC)) stop("pipe", strerror(errno));
    double began = now();
    pid_t pid = start(line, ends[1]);
    close(ends[1]);
    while (read(ends[0], buffer, sizeof buffer) > 0) {}
    if (wait4(pid, &status, 0, usage) != pid) stop("wait4", strerror(errno));
    double took = now() - began;
    close(ends[0]);
    if (status) stop(line->name, "it failed");
    return took;
}

static void in_turn(struct line *lines, int count, int rounds) {
    for (int round = -2; round < rounds; round++) {
        struct rusage usage;
        run(&lines[0], &usage);
        for (int i = 0; i < count; i++) {
            double took = run(&lines[i], &usage);
            if (round < 0) continue; // warm
            lines[i].wall[round] = took;
            lines[i].cpu[round] = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
            if (usage.ru_maxrss > lines[i].rss) lines[i].rss = usage.ru_maxrss;
        }
    }
    for (int i = 0; i < count; i++) {
        struct line *line = &lines[i];
        printf("%s\t%.0f\t%.0f\t%.0f\t%ld\n", line->name, part(line->wall, rounds, 50), part(line->wall, rounds, 99),
               part(line->cpu, rounds, 50), line->rss);
    }
}

static void at_once(struct line *line, int many, int rounds) {
    double *makespan = room(rounds * sizeof(double)), *each = room((size_t)rounds * many * sizeof(double));
    double *began = room(many * sizeof(double));
    pid_t *pids = room(many * sizeof(pid_t));
    for (int round = 0; round < rounds; round++) {
        double first = now();
        for (int i = 0; i < many; i++) {
            began[i] = now();
            pids[i] = start(line, -1);
        }
        for (int left = many; left; left--) {
            int status, i = 0;
            pid_t pid = wait(&status);
            while (i < many && pids[i] != pid) i++;
            if (i == many || status) stop(line->name, "one of them failed");
            each[(size_t)round * many + i] = now() - began[i];
        }
        makespan[round] = now() - first;
    }
    printf("%s\t%.0f\t%.0f\t%.0f\n", line->name, part(makespan, rounds, 50), part(each, rounds * many, 50),
           part(each, rounds * many, 99));
}

int main(int argc, char **argv) {
    static struct line lines[LINES];
    int many = argc == 5 && !strcmp(argv[1], "-p") ? atoi(argv[2]) : 0;
    int rounds = argc > 2 ? atoi(argv[argc - 2]) : 0;
    if (rounds < 1 || (argc == 5) != (many > 0) || (argc != 3 && argc != 5)) {
        fputs("usage: spawn [-p COUNT] ROUNDS FILE\n", stderr);
        return 2;
    }
    int count = read_lines(argv[argc - 1], lines, rounds);
    if (many) at_once(&lines[0], many, rounds);
    else in_turn(lines, count, rounds);
    return 0;
}
