#include "adoption.h"

#include "generation.h"
#include "mutant.h"
#include "ringlabel.h"
#include "stake.h"
#include "testpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ADOPTIONS_PER_PASS = 64 };

struct search {
    const struct control *control;
    struct ringlabel found[ADOPTIONS_PER_PASS];
    int count;
};

bool
adoption_is_named(const struct control *control, uint64_t nonce)
{
    /* used:A */
    uint32_t used =
        atomic_load_explicit(&control->shared->slots_used, memory_order_acquire);

    for (uint32_t slot = 0; slot < used && slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(control, slot);
        if (control->shared->slots[slot].nonce == nonce && state >= SLOT_CLAIMED &&
            state <= SLOT_CLOSING) {
            return true;
        }
    }
    return false;
}

/* A slot names its ring before the file is there, so what is found and not named is
 * nobody's who is on the way. */
static int
note_unnamed(void *context, const char *name)
{
    struct search *search = context;
    struct ringlabel label = {0};

    if (ringlabel_parse(name, &label.slot, &label.nonce) &&
        !adoption_is_named(search->control, label.nonce)) {
        search->found[search->count++] = label;
    }
    return search->count == ADOPTIONS_PER_PASS;
}

static bool
is_of_this_boot(const struct writer *writer, const struct ringlabel *label)
{
    return label->boot_id[0] == '\0' ||
           strncmp(label->boot_id, writer->control.boot_id, CONTROL_BOOT_SIZE) == 0;
}

/* What can't be drained is told; then the file goes. */
static void
lose(struct writer *writer, const struct ringlabel *label, int error)
{
    char name[RING_NAME_SIZE], aside[RING_NAME_SIZE + 8];

    ring_name(label->slot, label->nonce, name);
    control_note_error(&writer->control, error);
    control_add_loss(&writer->control, GAP_LOST_RING, 1, 0);
    if (error == -EPROTO) {
        /* Its own version can still read it. */
        snprintf(aside, sizeof(aside), "later-%s", name);
        (void)writer->sys->rename(writer->rings_dir, name, aside);
    } else {
        (void)writer->sys->unlinkat(writer->rings_dir, name);
    }
}

/* Moves the file to the slot's name first: until the entry is whole the ring is
 * nobody's, and is found again. */
static int
adopt(struct writer *writer, const struct ringlabel *label)
{
    char from[RING_NAME_SIZE], to[RING_NAME_SIZE];
    uint32_t slot;
    int error = leader_offer_slot(&writer->leader, label->slot, &slot);

    if (error < 0) {
        return error;
    }
    ring_name(label->slot, label->nonce, from);
    ring_name(slot, label->nonce, to);
    if (slot != label->slot) {
        error = writer->sys->rename_noreplace(writer->rings_dir, from, to);
    }
    TEST_POINT(adopt_moved);
    if (error == 0) {
        leader_fill_slot(&writer->leader, slot, label->nonce, &label->owner,
                         DURABILITY_PROCESS);
        control_set_slot(&writer->control, slot, SLOT_LIVE);
        control_add(&writer->control, COUNTER_adopted_rings, 1);
    }
    TEST_POINT(adopt_named);
    leader_release_slot(&writer->leader, slot);
    return error;
}

/* A leader of the past that knows of the ring drains it no more. */
static int
take_charge(struct writer *writer, const struct ringlabel *label)
{
    struct ring ring;
    int error =
        ring_open(&ring, writer->sys, writer->rings_dir, label->slot, label->nonce);

    if (error == 0) {
        atomic_store_explicit(&ring.shared->keeper, writer->control.shared->identity,
                              memory_order_release); /* keeper:B */
        ring_close(&ring);
    }
    return error;
}

static void
settle(struct writer *writer, struct ringlabel *label)
{
    int error = ringlabel_read(writer->sys, writer->rings_dir, label);
    bool is_unknown = error == -EUCLEAN || error == -EPROTO;

    if (error < 0 && !is_unknown) {
        if (error != -ENOENT) {
            control_note_error(&writer->control, error);
        }
        return;
    }
    if (is_of_this_boot(writer, label) &&
        !leader_misses(&writer->leader, label->slot, &label->owner)) {
        return;
    }
    if (error == -EUCLEAN) {
        error = ringlabel_mend(writer->sys, writer->rings_dir, label);
    }
    if (error == -EUCLEAN || error == -EPROTO) {
        lose(writer, label, error);
        return;
    }
    if (error == 0) {
        error = take_charge(writer, label);
    }
    if (error == 0) {
        error = adopt(writer, label);
    }
    if (error < 0 && error != -EUSERS && error != -ENOENT) {
        control_note_error(&writer->control, error);
    }
}

void
adoption_run(struct writer *writer)
{
    struct search search = {.control = &writer->control};

    if (generation_is_past(writer) || generation_shares_state(writer) ||
        MUTANT_LACKS(adoption)) {
        return; /* the past knows its rings, and settles them */
    }
    if (stake_finish(writer) < 0 || leader_begin_adopting(&writer->leader) < 0) {
        return; /* the rings keep what they have until the next look */
    }
    /* An error says that some were not seen; the next look may. */
    (void)writer->sys->list(writer->rings_dir, note_unnamed, &search);
    for (int i = 0; i < search.count; i++) {
        settle(writer, &search.found[i]);
    }
    leader_end_adopting(&writer->leader);
    writer->has_more |= search.count == ADOPTIONS_PER_PASS;
}
