/* Here csrc's test points arrive; what they do is up to the test. */
#include "support.h"

void (*test_point_hook)(enum test_point point);

void
test_point_reached(enum test_point point)
{
    if (test_point_hook != NULL) {
        test_point_hook(point);
    }
}
