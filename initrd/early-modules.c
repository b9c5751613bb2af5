/*
 * Loads the modules that nearly every boot wants while Node starts, which takes most of a second and one processor: when
 * /init looks at the hardware, the disks of common controllers are there or on their way.
 *
 * A head start and no more: what to load is decided by /init, which asks for each of these modules again, finds it in the
 * kernel, and tells of the ones that fail. So nothing is told of here, and where somebody has said anything of modules,
 * on the command line, in a policy or in modprobe.d, nothing is done.
 *
 * A thread of process 1, preloaded as early-random.so is, with a mount namespace of its own for /proc and /sys: it leaves
 * no process and no mount behind. The table beside the modules is made with the initrd, from initrd/early.list.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { TABLE_BYTES = 32 * 1024, WORDS_BYTES = 16 * 1024, ALIASES_BYTES = 128 * 1024, STACK_BYTES = 128 * 1024,
       MODULES = 128 };

static char directory[128], table[TABLE_BYTES], words[WORDS_BYTES], aliases[ALIASES_BYTES];

/* The file's bytes as a string, at most `most` - 1; -1: it cannot be read. */
static long read_file(const char *path, char *into, size_t most) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  size_t length = 0;
  ssize_t got;
  while (length < most - 1 && (got = read(fd, into + length, most - 1 - length)) > 0) length += got;
  close(fd);
  into[length] = 0;
  return length;
}

static int has_entries(const char *path) {
  DIR *dir = opendir(path);
  if (dir == NULL) return 0;
  int found = 0;
  for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) found = entry->d_name[0] != '.';
  closedir(dir);
  return found;
}

static char plain(char c) { return c == '-' ? '_' : c; }

/* Whether a path of the table is that of the module `name`, of `length` characters; `-` and `_` are one. */
static int is_module(const char *path, const char *name, size_t length) {
  const char *file = strrchr(path, '/');
  file = file == NULL ? path : file + 1;
  for (size_t i = 0; i < length; i++)
    if (plain(file[i]) != plain(name[i])) return 0;
  return strcmp(file + length, ".ko") == 0;
}

/* A row of the table: `PATTERN PATH PARAMETERS`. */
struct row {
  char *pattern, *path, *parameters;
};

/* Cuts the next row off `*at`; 0: there is none left. */
static int next_row(char **at, struct row *row) {
  char *line = strsep(at, "\n");
  if (line == NULL || *line == 0) return 0;
  row->pattern = strsep(&line, " ");
  row->path = strsep(&line, " ");
  row->parameters = line == NULL ? "" : line;
  return row->path != NULL;
}

/* Whether a word of the command line or the policy says anything of modules, or stops the boot before they are loaded. */
static int somebody_decides(char *text, const char *rows) {
  static const char *const told[] = {"viver.modules.", "viver.break", "modprobe.", "module_blacklist="};
  static char copy[TABLE_BYTES];
  for (char *rest = NULL, *word = strtok_r(text, " \t\n\"", &rest); word != NULL; word = strtok_r(NULL, " \t\n\"", &rest)) {
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
      if (strncmp(word, told[i], strlen(told[i])) == 0) return 1;
    size_t name = strcspn(word, ".=");
    if (word[name] != '.') continue;
    strcpy(copy, rows);
    char *at = copy;
    for (struct row row; next_row(&at, &row);)
      if (is_module(row.path, word, name)) return 1;
  }
  return 0;
}

/* The modaliases of all PCI devices, one after another, each with its 0; an empty one ends them. */
static void read_aliases(void) {
  static const char devices[] = "/sys/bus/pci/devices";
  DIR *dir = opendir(devices);
  if (dir == NULL) return;
  size_t used = 0;
  for (struct dirent *entry; used < ALIASES_BYTES - 256 && (entry = readdir(dir)) != NULL;) {
    char path[sizeof devices + 300];
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s/modalias", devices, entry->d_name);
    long length = read_file(path, aliases + used, 255);
    if (length < 2) continue;
    used += length;
    aliases[used - 1] = 0; /* the end of the line */
  }
  aliases[used] = 0;
  closedir(dir);
}

static int is_here(const char *pattern) {
  if (strcmp(pattern, "*") == 0) return 1;
  for (const char *alias = aliases; *alias != 0; alias += strlen(alias) + 1)
    if (fnmatch(pattern, alias, 0) == 0) return 1;
  return 0;
}

static void load(const struct row *row) {
  char file[sizeof directory + 256];
  snprintf(file, sizeof file, "%s/%s", directory, row->path);
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  syscall(SYS_finit_module, fd, row->parameters, 0);
  close(fd);
}

static void *run(void *nothing) {
  static const char *const configuration[] = {"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
                                              "/lib/modprobe.d"};
  for (size_t i = 0; i < sizeof configuration / sizeof *configuration; i++)
    if (has_entries(configuration[i])) return nothing;
  if (unshare(CLONE_NEWNS) != 0) return nothing;
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) return nothing;
  if (read_file("/proc/cmdline", words, sizeof words) < 0 || somebody_decides(words, table)) return nothing;
  if (read_file("/etc/viver/policy", words, sizeof words) >= 0 && somebody_decides(words, table)) return nothing;
  if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) return nothing;
  read_aliases();
  /* What several rows need is read from its file once. */
  static const char *loaded[MODULES];
  size_t count = 0;
  char *at = table;
  for (struct row row; next_row(&at, &row);) {
    size_t i = 0;
    while (i < count && strcmp(loaded[i], row.path) != 0) i++;
    if (i < count || count == MODULES || !is_here(row.pattern)) continue;
    loaded[count++] = row.path;
    load(&row);
  }
  return nothing;
}

__attribute__((constructor)) static void begin(int count, char **arguments) {
  struct utsname kernel;
  char path[sizeof directory + 32];
  if (getpid() != 1 || count < 1 || uname(&kernel) != 0) return;
  const char *program = strrchr(arguments[0], '/');
  if (strcmp(program == NULL ? arguments[0] : program + 1, "init") != 0) return;
  snprintf(directory, sizeof directory, "/lib/modules/%s", kernel.release);
  snprintf(path, sizeof path, "%s/modules.early", directory);
  long length = read_file(path, table, sizeof table);
  if (length <= 0 || length == sizeof table - 1) return;
  sigset_t all, before;
  pthread_attr_t attributes;
  pthread_t thread;
  sigfillset(&all);
  if (pthread_attr_init(&attributes) != 0) return;
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  if (pthread_create(&thread, &attributes, run, NULL) == 0) pthread_setname_np(thread, "early-modules");
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
}
