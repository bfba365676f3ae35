#include "filelimit.h"

#include "livefile.h"
#include "sources.h"
#include "trouble.h"

#include <errno.h>

static const uint64_t handover_pause_ns = UINT64_C(1000000000);

bool
filelimit_leave(struct writer *writer)
{
    if (sources_have_others(writer) && writer->limited_inode != writer->file.inode) {
        writer->limited_inode = writer->file.inode;
        control_add(&writer->control, COUNTER_handovers, 1);
        drainer_step_down(writer, handover_pause_ns);
        return false;
    }
    if (livefile_rotate(writer, true) < 0) {
        trouble_note(writer, -EFBIG);
        return false;
    }
    return true;
}
