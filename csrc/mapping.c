/* mapping.c - the table of mappings; the handler is fault.c's.
 *
 * Pairs:
 *   entry:B / entry:A    an entry's address and size are visible before it is in use
 *   chunk:B / chunk:A    a chunk is whole before it is in the list
 *
 * The handler looks at the entries of all threads while those come and go. What it acts
 * on holds still: a mapping that a thread faults on is not closed meanwhile.
 */
#include "mapping.h"

#include "fault.h"
#include "mutant.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { CHUNK_MAPPINGS = 64 };

struct mapping {
    _Atomic bool is_used;
    _Atomic bool is_cut;
    bool is_kept_from_children;
    const struct sys *sys;
    _Atomic uintptr_t begin;
    _Atomic uintptr_t end;
    _Atomic uintptr_t cut_from; /* pages from here on are replaced */
    _Atomic(_Atomic uint32_t *) word;
    uint32_t bits;
};

/* Never freed, so that the handler can walk it without a lock. */
struct chunk {
    struct mapping mappings[CHUNK_MAPPINGS];
    _Atomic(struct chunk *) next;
};

#define UNLOCKED PTHREAD_MUTEX_INITIALIZER

static struct chunk first_chunk;
static size_t page_size; /* known before the first entry is in use */
static pthread_mutex_t table_mutex = UNLOCKED; /* taking entries; never in a handler */
static atomic_flag is_replacing = ATOMIC_FLAG_INIT; /* in handlers; for one mmap */

static struct chunk *
chunk_after(const struct chunk *chunk)
{
    return atomic_load_explicit(&chunk->next, memory_order_acquire); /* chunk:A */
}

static struct mapping *
find_unused(struct chunk *chunk)
{
    for (int i = 0; i < CHUNK_MAPPINGS; i++) {
        if (!atomic_load_explicit(&chunk->mappings[i].is_used, memory_order_relaxed)) {
            return &chunk->mappings[i];
        }
    }
    return NULL;
}

/* Under table_mutex. */
static struct mapping *
take_entry(void)
{
    struct chunk *chunk = &first_chunk, *next;
    struct mapping *found;

    while ((found = find_unused(chunk)) == NULL) {
        next = chunk_after(chunk);
        if (next == NULL) {
            next = calloc(1, sizeof(*next));
            if (next == NULL) {
                return NULL;
            }
            atomic_store_explicit(&chunk->next, next,
                                  memory_order_release); /* chunk:B */
        }
        chunk = next;
    }
    return found;
}

static void
fill(struct mapping *mapping, const struct sys *sys, void *address, size_t size)
{
    uintptr_t begin = (uintptr_t)address;
    uintptr_t end = begin + (size + page_size - 1) / page_size * page_size;

    mapping->sys = sys;
    mapping->is_kept_from_children = false;
    atomic_store_explicit(&mapping->word, NULL, memory_order_relaxed);
    atomic_store_explicit(&mapping->is_cut, false, memory_order_relaxed);
    atomic_store_explicit(&mapping->begin, begin, memory_order_relaxed);
    atomic_store_explicit(&mapping->end, end, memory_order_relaxed);
    atomic_store_explicit(&mapping->cut_from, end, memory_order_relaxed);
    atomic_store_explicit(&mapping->is_used, true, memory_order_release); /* entry:B */
}

int
mapping_open(struct mapping **out, const struct sys *sys, int fd, size_t size)
{
    struct mapping *mapping;
    void *address;
    int error = sys->mmap_shared(fd, size, &address);

    if (error < 0) {
        return error;
    }
    fault_catch(sys);
    pthread_mutex_lock(&table_mutex);
    page_size = sys->page_size();
    mapping = take_entry();
    if (mapping != NULL) {
        fill(mapping, sys, address, size);
    }
    pthread_mutex_unlock(&table_mutex);
    if (mapping == NULL) {
        sys->munmap(address, size);
        return -ENOMEM;
    }
    *out = mapping;
    return 0;
}

void
mapping_close(struct mapping *mapping)
{
    uintptr_t begin = atomic_load_explicit(&mapping->begin, memory_order_relaxed);
    uintptr_t end = atomic_load_explicit(&mapping->end, memory_order_relaxed);
    const struct sys *sys = mapping->sys;

    /* First: whatever is mapped there next is not ours. From here on the entry may be
     * another mapping's. */
    atomic_store_explicit(&mapping->is_used, false, memory_order_release); /* entry:B */
    sys->munmap((void *)begin, end - begin);
}

void *
mapping_address(const struct mapping *mapping)
{
    return (void *)atomic_load_explicit(&mapping->begin, memory_order_relaxed);
}

void
mapping_keep_from_children(struct mapping *mapping)
{
    uintptr_t begin = atomic_load_explicit(&mapping->begin, memory_order_relaxed);
    uintptr_t end = atomic_load_explicit(&mapping->end, memory_order_relaxed);

    mapping->is_kept_from_children =
        mapping->sys->keep_from_children(mapping_address(mapping), end - begin) == 0;
}

void
mapping_tell(struct mapping *mapping, _Atomic uint32_t *word, uint32_t bits)
{
    mapping->bits = bits;
    atomic_store_explicit(&mapping->word, word, memory_order_seq_cst); /* told:SC */
    if (atomic_load_explicit(&mapping->is_cut, memory_order_seq_cst)) { /* told:SC */
        atomic_fetch_or_explicit(word, bits, memory_order_release); /* due:B */
    }
}

bool
mapping_is_cut(const struct mapping *mapping)
{
    return !MUTANT_LACKS(cut) &&
           atomic_load_explicit(&mapping->is_cut, memory_order_acquire); /* cut:A */
}

bool
mapping_has_lost(const struct mapping *mapping, const void *address, size_t size)
{
    return (uintptr_t)address + size >
           /* cutfrom:A */
           atomic_load_explicit(&mapping->cut_from, memory_order_acquire);
}

static void
mark_cut(struct mapping *mapping)
{
    _Atomic uint32_t *word;

    /* Marked first: who says only now whom to tell looks at the mark then. cut:B */
    atomic_store_explicit(&mapping->is_cut, true, memory_order_seq_cst); /* told:SC */
    word = atomic_load_explicit(&mapping->word, memory_order_seq_cst); /* told:SC */
    if (word != NULL) {
        atomic_fetch_or_explicit(word, mapping->bits, memory_order_release); /* due:B */
    }
}

/* Puts zero pages from `page` to where others are already; what a thread stored there
 * stays. In a handler: nobody who holds the flag can be interrupted by us for long. */
static int
replace_from(struct mapping *mapping, uintptr_t page)
{
    uintptr_t cut_from;
    int error = 0;

    /* replacing:A */
    while (atomic_flag_test_and_set_explicit(&is_replacing, memory_order_acquire)) {
    }
    cut_from = atomic_load_explicit(&mapping->cut_from, memory_order_relaxed);
    if (page < cut_from) {
        error = mapping->sys->put_zeros((void *)page, cut_from - page);
        if (error == 0) {
            /* cutfrom:B */
            atomic_store_explicit(&mapping->cut_from, page, memory_order_release);
        }
        if (error == 0 && mapping->is_kept_from_children) {
            (void)mapping->sys->keep_from_children((void *)page, cut_from - page);
        }
    }
    atomic_flag_clear_explicit(&is_replacing, memory_order_release); /* replacing:B */
    if (error == 0) {
        mark_cut(mapping);
    }
    return error;
}

static bool
holds(const struct mapping *mapping, uintptr_t address)
{
    return atomic_load_explicit(&mapping->is_used, memory_order_acquire) /* entry:A */
           && address >= atomic_load_explicit(&mapping->begin, memory_order_relaxed) &&
           address < atomic_load_explicit(&mapping->end, memory_order_relaxed);
}

bool
mapping_mend_at(uintptr_t address)
{
    for (struct chunk *chunk = &first_chunk; chunk != NULL;
         chunk = chunk_after(chunk)) {
        for (int i = 0; i < CHUNK_MAPPINGS; i++) {
            struct mapping *mapping = &chunk->mappings[i];

            if (holds(mapping, address)) {
                return replace_from(mapping, address & ~(page_size - 1)) == 0;
            }
        }
    }
    return false;
}

/* The first page that is gone; 0: none is. */
static uintptr_t
find_gone(const struct mapping *mapping)
{
    uintptr_t end = atomic_load_explicit(&mapping->cut_from, memory_order_relaxed);

    for (uintptr_t page = atomic_load_explicit(&mapping->begin, memory_order_relaxed);
         page < end; page += page_size) {
        if (mapping->sys->probe((void *)page) == -EFAULT) {
            return page;
        }
    }
    return 0;
}

bool
mapping_probe(struct mapping *mapping)
{
    uintptr_t gone = find_gone(mapping);

    if (gone != 0) {
        (void)replace_from(mapping, gone);
    }
    return mapping_is_cut(mapping);
}

bool
mapping_mend_all(void)
{
    bool has_mended = false;

    for (struct chunk *chunk = &first_chunk; chunk != NULL;
         chunk = chunk_after(chunk)) {
        for (int i = 0; i < CHUNK_MAPPINGS; i++) {
            struct mapping *mapping = &chunk->mappings[i];

            /* entry:A */
            if (atomic_load_explicit(&mapping->is_used, memory_order_acquire)) {
                uintptr_t gone = find_gone(mapping);
                has_mended |= gone != 0 && replace_from(mapping, gone) == 0;
            }
        }
    }
    return has_mended;
}

void
mapping_watch(void)
{
    fault_watch();
}

void
mapping_after_fork(void)
{
    table_mutex = (pthread_mutex_t)UNLOCKED;
    atomic_flag_clear_explicit(&is_replacing, memory_order_relaxed);
    for (struct chunk *chunk = &first_chunk; chunk != NULL;
         chunk = chunk_after(chunk)) {
        for (int i = 0; i < CHUNK_MAPPINGS; i++) {
            if (chunk->mappings[i].is_kept_from_children) {
                atomic_store_explicit(&chunk->mappings[i].is_used, false,
                                      memory_order_relaxed);
            }
        }
    }
}
