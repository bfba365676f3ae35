#include "support_verdict.h"

#include "rotate.h"
#include "support.h"
#include "support_log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NUMBERS_MAX = 40, TEXT_SIZE = 65536 };

static const struct account *account;

#define EXPECT(condition)                                                              \
    verdict_expect(account, (condition), #condition, __FILE__, __LINE__)

void
verdict_expect(const struct account *of, bool condition, const char *what,
               const char *file, int line)
{
    char fault[128], text[512];

    if (!condition) {
        fault_describe(of->fault, fault, sizeof(fault));
        snprintf(text, sizeof(text), "%s, while %s with %s", what, of->setting->name,
                 fault);
        test_fail(file, line, text);
    }
}

static void
append_file(char *text, const char *name)
{
    const char *part = file_text(name);

    if (part != NULL) {
        CHECK(strlen(text) + strlen(part) < TEXT_SIZE);
        strcat(text, part);
    }
}

/* The log with numbered backups: the highest is the oldest. */
static char *
numbered_text(void)
{
    char *text = test_memory(TEXT_SIZE);

    for (int i = NUMBERS_MAX; i > 0; i--) {
        char name[32];
        snprintf(name, sizeof(name), "audit.log.%d", i);
        append_file(text, name);
    }
    append_file(text, "audit.log");
    return text;
}

/* The gap events, wherever they are put. */
static const char *
gap_text(const char *text)
{
    if (account->setting->dialect == DIALECT_LUMBERJACK ||
        account->setting->is_stream) {
        return text;
    }
    return file_exists("audit.log.gaps") ? file_text("audit.log.gaps") : "";
}

static const char *
find_line(const char *text, const char *line)
{
    size_t size = strlen(line);

    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
        if (strncmp(at, line, size) == 0 && at[size] == '\n') {
            return at;
        }
    }
    return NULL;
}

static const char *
line_of(int number, char out[24])
{
    snprintf(out, 24, "line %02d", number);
    return out;
}

static void
check_lines(const char *text)
{
    const char *last = text;

    EXPECT(log_is_whole(text));
    for (int i = 0; i < account->lines; i++) {
        const char *at;
        char line[24];

        EXPECT(log_count(text, line_of(i, line)) == account->is_written[i]);
        at = find_line(text, line);
        if (at != NULL) {
            EXPECT(at >= last || account->is_out_of_order);
            last = at;
        }
    }
    EXPECT(log_count(text, "line of the child") == account->is_childs_written);
}

static void
check_gaps(const char *text)
{
    unsigned reboots = account->setting->past == PAST_BOOT;
    unsigned others = log_gaps(text, "dropped") + log_gaps(text, "sync-failed") +
                      log_gaps(text, "reboot");

    EXPECT(log_is_whole(text));
    EXPECT(log_gaps(text, NULL) == others);
    EXPECT(log_gap_sum(text, "dropped", "count") == account->drops);
    EXPECT((log_gaps(text, "sync-failed") > 0) == account->has_sync_failed);
    EXPECT(log_gaps(text, "reboot") == reboots);
    if (reboots) {
        EXPECT(log_gap_sum(text, "reboot", "count") == 3);
    }
}

/* What was in the rings when the machine went down stands beside the log. */
static const char *
dead_text(const char *text)
{
    DIR *directory;
    struct dirent *entry;
    char *salvaged = NULL;

    if (account->setting->past != PAST_BOOT) {
        return text;
    }
    directory = opendir(".");
    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        if (strstr(entry->d_name, "-salvaged-") != NULL) {
            EXPECT(salvaged == NULL);
            salvaged = file_text(entry->d_name);
        }
    }
    closedir(directory);
    EXPECT(salvaged != NULL);
    return salvaged;
}

static void
check_dead(const char *text)
{
    const char *rest = dead_text(text);

    EXPECT(log_count(text, "line of the dead") == 1);
    if (account->setting->past == PAST_BOOT) {
        /* Twice if the first copy could not be taken out of the log. */
        EXPECT(file_exists("audit.log.torn"));
        EXPECT(strstr(file_text("audit.log.torn"), "line of") != NULL);
    }
    EXPECT(log_is_whole(rest));
    EXPECT(log_count(rest, "line of the dead, torn") == 1);
    EXPECT(log_count(rest, "line of the dead, in its ring") == 1);
    EXPECT(log_count(rest, "line of the dead, in another ring") == 1);
}

/* The log's own files; what is put aside after a restart is for its owner only. */
static void
check_modes(void)
{
    DIR *directory = opendir(".");
    struct dirent *entry;
    struct stat status;

    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, "audit.log") == 0 || rotate_backup_time("audit.log", name)) {
            CHECK_EQUAL(stat(name, &status), 0);
            EXPECT((status.st_mode & 07777) == TRIAL_MODE);
        }
    }
    closedir(directory);
}

/* Only what every process uses stays when none is left. */
static void
check_state(void)
{
    DIR *directory = opendir(".audit.log.ring");
    struct dirent *entry;

    EXPECT(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        const char *name = entry->d_name;
        EXPECT(name[0] == '.' || strcmp(name, "ctl") == 0 || strcmp(name, "lock") == 0);
    }
    closedir(directory);
    directory = opendir("rings");
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        EXPECT(entry->d_name[0] == '.');
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

static char *
files_text(void)
{
    return account->setting->dialect == DIALECT_STDLIB ? numbered_text()
                                                       : log_text("audit.log");
}

bool
verdict_is_all_there(const struct account *of)
{
    const char *text;
    char line[24];

    account = of;
    text = files_text();
    for (int i = 0; i < of->lines; i++) {
        if (of->is_written[i] && find_line(text, line_of(i, line)) == NULL) {
            return false;
        }
    }
    return !of->is_childs_written || find_line(text, "line of the child") != NULL;
}

void
verdict_check(const struct account *of, char *text)
{
    account = of;
    if (text == NULL) {
        text = files_text();
        check_state();
        check_modes();
    }
    check_lines(text);
    check_gaps(gap_text(text));
    if (of->setting->past != PAST_NONE) {
        check_dead(text);
    }
}
