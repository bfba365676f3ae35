#include "clock.h"

#include <string.h>
#include <time.h>

/* Writes `digits` decimal digits of value at `at`. */
static void
put_digits(char *at, unsigned value, int digits)
{
    while (digits-- > 0) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Fills "YYYY-MM-DDTHH?MM?SS." (20 characters) with `colon` for the question marks. */
static void
put_second(uint64_t real_s, char colon, char *out)
{
    time_t seconds = (time_t)real_s;
    struct tm utc;

    gmtime_r(&seconds, &utc);
    put_digits(out, (unsigned)(utc.tm_year + 1900), 4);
    out[4] = '-';
    put_digits(out + 5, (unsigned)(utc.tm_mon + 1), 2);
    out[7] = '-';
    put_digits(out + 8, (unsigned)utc.tm_mday, 2);
    out[10] = 'T';
    put_digits(out + 11, (unsigned)utc.tm_hour, 2);
    out[13] = colon;
    put_digits(out + 14, (unsigned)utc.tm_min, 2);
    out[16] = colon;
    put_digits(out + 17, (unsigned)utc.tm_sec, 2);
    out[19] = '.';
}

void
clock_name(uint64_t real_ms, char out[CLOCK_NAME_SIZE])
{
    put_second(real_ms / 1000, '-', out);
    put_digits(out + 20, (unsigned)(real_ms % 1000), 3);
    out[23] = '\0';
}

void
clock_micro(uint64_t real_ns, char out[CLOCK_MICRO_SIZE])
{
    put_second(real_ns / 1000000000U, ':', out);
    put_digits(out + 20, (unsigned)(real_ns / 1000 % 1000000), 6);
    out[26] = 'Z';
    out[27] = '\0';
}

/* Reads `digits` digits, or -1. */
static int
get_digits(const char *at, int digits)
{
    int value = 0;

    while (digits-- > 0) {
        if (*at < '0' || *at > '9') {
            return -1;
        }
        value = value * 10 + (*at++ - '0');
    }
    return value;
}

bool
clock_parse_name(const char *text, uint64_t *real_ms)
{
    char again[CLOCK_NAME_SIZE];
    struct tm utc = {0};
    time_t seconds;
    int millis;

    if (strnlen(text, CLOCK_NAME_SIZE - 1) < CLOCK_NAME_SIZE - 1) {
        return false;
    }
    utc.tm_year = get_digits(text, 4) - 1900;
    utc.tm_mon = get_digits(text + 5, 2) - 1;
    utc.tm_mday = get_digits(text + 8, 2);
    utc.tm_hour = get_digits(text + 11, 2);
    utc.tm_min = get_digits(text + 14, 2);
    utc.tm_sec = get_digits(text + 17, 2);
    millis = get_digits(text + 20, 3);
    seconds = timegm(&utc);
    if (millis < 0 || seconds < 0) {
        return false;
    }
    /* Writing it again refuses wrong separators, bad digits and the 30th of February.
     */
    clock_name((uint64_t)seconds * 1000 + (uint64_t)millis, again);
    if (memcmp(again, text, CLOCK_NAME_SIZE - 1) != 0) {
        return false;
    }
    *real_ms = (uint64_t)seconds * 1000 + (uint64_t)millis;
    return true;
}
