/*
 * Preloaded into `tagway serve`: starts its worker under another program (valgrind, strace ...), which the
 * supervisor cannot do itself. UNDER is that program with its options, UNDER_IMAGE the executable of tagway.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const[], char *const[]);

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                char *const arguments[], char *const environment[]) {
    spawn_function *original = (spawn_function *)dlsym(RTLD_NEXT, "posix_spawn");
    const char *under = getenv("UNDER"), *image = getenv("UNDER_IMAGE");
    if (!under || !image || !arguments[1] || strcmp(arguments[1], "worker"))
        return original(pid, path, actions, attributes, arguments, environment);
    char words[4096], *all[128], *kept[1024];
    int count = 0, kept_count = 0;
    strncpy(words, under, sizeof words - 1);
    words[sizeof words - 1] = 0;
    for (char *word = strtok(words, " "); word && count < 64; word = strtok(NULL, " ")) all[count++] = word;
    all[count++] = (char *)image;
    for (int i = 1; arguments[i] && count < 127; i++) all[count++] = arguments[i];
    all[count] = NULL;
    /* The program must not load this once more. */
    for (int i = 0; environment[i] && kept_count < 1023; i++)
        if (strncmp(environment[i], "LD_PRELOAD=", 11)) kept[kept_count++] = environment[i];
    kept[kept_count] = NULL;
    return original(pid, all[0], actions, attributes, all, kept);
}
