#include "storm_left.h"

#include "ringfile.h"
#include "ringlabel.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void
print_slot(const struct control *control, uint64_t nonce)
{
    static const char *const names[] = {"free", "claimed", "live", "closing",
                                        "retired"};

    for (uint32_t slot = 0; slot < CONTROL_SLOTS; slot++) {
        const struct control_slot *entry = &control->shared->slots[slot];
        enum slot_state state = control_slot_state(control, slot);

        if (entry->nonce == nonce && state <= SLOT_RETIRED) {
            printf("    slot %" PRIu32 ": %s, process %d\n", slot, names[state],
                   entry->pid);
        }
    }
}

static void
print_ring(int rings_dir, const struct ringlabel *label)
{
    struct ring_shared page;
    char name[RING_NAME_SIZE];
    int fd;

    ring_name(label->slot, label->nonce, name);
    fd = openat(rings_dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, &page, sizeof(page), 0) != sizeof(page)) {
        printf("    it can't be read\n");
    } else {
        printf("    process %d%s, capacity %" PRIu64 ", head %" PRIu64 ", tail %" PRIu64
               "%s, behind %016" PRIx64 "\n",
               page.owner.pid, kill(page.owner.pid, 0) == 0 ? " (there)" : "",
               page.capacity, page.head, page.tail & ~RING_SEALED,
               (page.tail & RING_SEALED) != 0 ? " (sealed)" : "", page.predecessor);
    }
    if (fd >= 0) {
        close(fd);
    }
}

unsigned
left_print_rings(const struct storm_log *log, const struct control *control)
{
    char path[300];
    struct dirent *entry;
    struct ringlabel label;
    unsigned count = 0;
    DIR *names;

    snprintf(path, sizeof(path), "%s/.audit.log.ring", log->directory);
    names = opendir(path);
    while (names != NULL && (entry = readdir(names)) != NULL) {
        if (ringlabel_parse(entry->d_name, &label.slot, &label.nonce)) {
            printf("  left: %s\n", entry->d_name);
            print_ring(dirfd(names), &label);
            print_slot(control, label.nonce);
            count++;
        }
    }
    if (names != NULL) {
        closedir(names);
    }
    return count;
}
