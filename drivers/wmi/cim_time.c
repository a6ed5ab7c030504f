/* SPDX-License-Identifier: Apache-2.0 */
/* Times as WMI writes them, in all their forms. */
#include "drivers/wmi/cim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#define DAY_MS 86400000LL
#define YEARS_MOST 9999u
/* Intervals are at most 99,999,999 days. */
#define INTERVAL_MOST (99999999LL * DAY_MS + DAY_MS - 1)

/* `n` digits; a wildcard ('*' throughout) counts as zero. */
static bool digits(const char **at, unsigned n, unsigned *out)
{
    unsigned value = 0, stars = 0;

    for (unsigned i = 0; i < n; i++) {
        char c = (*at)[i];

        if (c == '*')
            stars++;
        else if (c >= '0' && c <= '9')
            value = value * 10 + (unsigned)(c - '0');
        else
            return false;
    }
    if (stars && stars != n)
        return false;
    *at += n;
    *out = value;
    return true;
}

static bool skip(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar; false: there is no such day. */
static bool days_of(unsigned year, unsigned month, unsigned day, int64_t *out)
{
    struct tm tm = { .tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day };
    time_t seconds;

    if (year < 1601 || year > YEARS_MOST || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    seconds = timegm(&tm);
    if (tm.tm_mon != (int)month - 1)
        return false;
    *out = (int64_t)seconds / 86400;
    return true;
}

static bool put_time(unsigned year, unsigned month, unsigned day, const unsigned hms[3],
                     unsigned micros, int offset_min, int64_t *ms)
{
    int64_t days;

    if (hms[0] > 23 || hms[1] > 59 || hms[2] > 60 || !days_of(year, month, day, &days))
        return false;
    *ms = days * DAY_MS + (int64_t)hms[0] * 3600000 + (int64_t)hms[1] * 60000 +
          (int64_t)hms[2] * 1000 + micros / 1000 - (int64_t)offset_min * 60000;
    return true;
}

/* ".123456": the part below a second, in microseconds. */
static bool fraction(const char **at, unsigned *micros)
{
    unsigned n = 0;

    *micros = 0;
    if (**at != '.' && **at != ',')
        return true;
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, n++)
        if (n < 6)
            *micros = *micros * 10 + (unsigned)(**at - '0');
    if (n == 0)
        return false;
    for (; n < 6; n++)
        *micros *= 10;
    return true;
}

/* yyyymmddHHMMSS.mmmmmm+UUU */
static bool parse_cim(const char *at, int64_t *ms)
{
    unsigned year, month, day, hms[3], micros, offset;
    int sign;

    if (strlen(at) != 25 || !digits(&at, 4, &year) || !digits(&at, 2, &month) ||
        !digits(&at, 2, &day) || !digits(&at, 2, &hms[0]) || !digits(&at, 2, &hms[1]) ||
        !digits(&at, 2, &hms[2]) || !skip(&at, '.') || !digits(&at, 6, &micros))
        return false;
    sign = *at == '+' ? 1 : *at == '-' ? -1 : 0;
    at++;
    return sign && digits(&at, 3, &offset) &&
           put_time(year, month, day, hms, micros, sign * (int)offset, ms);
}

bool cim_time_parse(const char *text, int64_t *ms)
{
    char copy[48];
    size_t len;

    text += strspn(text, " \t\r\n");
    len = strcspn(text, " \t\r\n");
    if (len >= sizeof(copy))
        return false;
    (void)str_copy_n(copy, sizeof(copy), text, len);
    /* Without an offset it is UTC, too. */
    if (strchr(copy, 'T'))
        return clock_parse(copy, len, ms) ||
               (len + 1 < sizeof(copy) && str_copy(copy + len, 2, "Z") &&
                clock_parse(copy, len + 1, ms));
    return parse_cim(copy, ms);
}

/* ddddddddHHMMSS.mmmmmm:000 */
static bool parse_cim_interval(const char *at, int64_t *ms)
{
    unsigned days, hms[3], micros, zeros;

    if (strlen(at) != 25 || !digits(&at, 8, &days) || !digits(&at, 2, &hms[0]) ||
        !digits(&at, 2, &hms[1]) || !digits(&at, 2, &hms[2]) || !skip(&at, '.') ||
        !digits(&at, 6, &micros) || !skip(&at, ':') || !digits(&at, 3, &zeros))
        return false;
    if (hms[0] > 23 || hms[1] > 59 || hms[2] > 59 || zeros)
        return false;
    *ms = (int64_t)days * DAY_MS + (int64_t)hms[0] * 3600000 + (int64_t)hms[1] * 60000 +
          (int64_t)hms[2] * 1000 + micros / 1000;
    return true;
}

/* P0Y0M1DT2H30M0.5S. Years and months have no length; only zero of them is a length of time. */
static bool parse_iso_interval(const char *at, int64_t *ms)
{
    bool time_part = false, any = false;
    int64_t total = 0;

    if (!skip(&at, 'P'))
        return false;
    while (*at) {
        int64_t n = 0, unit;
        unsigned micros = 0, seen = 0;

        if (*at == 'T' && !time_part) {
            time_part = true;
            at++;
            continue;
        }
        for (; *at >= '0' && *at <= '9' && seen < 12; at++, seen++)
            n = n * 10 + (*at - '0');
        if (seen == 0 || !fraction(&at, &micros) || (micros && *at != 'S'))
            return false;
        switch (*at++) {
        case 'Y':
            unit = time_part || n ? -1 : 0;
            break;
        case 'M':
            unit = time_part ? 60000 : n ? -1 : 0;
            break;
        case 'W':
            unit = time_part ? -1 : 7 * DAY_MS;
            break;
        case 'D':
            unit = time_part ? -1 : DAY_MS;
            break;
        case 'H':
            unit = time_part ? 3600000 : -1;
            break;
        case 'S':
            unit = time_part ? 1000 : -1;
            break;
        default:
            return false;
        }
        if (unit < 0 || (unit > 0 && n > (INTERVAL_MOST - total) / unit))
            return false;
        total += n * unit + micros / 1000;
        any = true;
    }
    if (any)
        *ms = total;
    return any;
}

bool cim_interval_parse(const char *text, int64_t *ms)
{
    char copy[64];
    size_t len;

    text += strspn(text, " \t\r\n");
    len = strcspn(text, " \t\r\n");
    if (len >= sizeof(copy))
        return false;
    (void)str_copy_n(copy, sizeof(copy), text, len);
    return *copy == 'P' ? parse_iso_interval(copy, ms) : parse_cim_interval(copy, ms);
}

void cim_time_print(int64_t ms, char out[26])
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    time_t at = (time_t)seconds;
    struct tm tm = { 0 };
    char text[80];

    (void)gmtime_r(&at, &tm);
    (void)snprintf(text, sizeof(text), "%04u%02u%02u%02u%02u%02u.%06u+000",
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_mon + 1,
                   (unsigned)tm.tm_mday, (unsigned)tm.tm_hour, (unsigned)tm.tm_min,
                   (unsigned)tm.tm_sec, (unsigned)(ms - seconds * 1000) * 1000);
    (void)str_copy(out, 26, text);
}

void cim_interval_print(int64_t ms, char out[26])
{
    char text[80];

    if (ms < 0)
        ms = 0;
    if (ms > INTERVAL_MOST)
        ms = INTERVAL_MOST;
    (void)snprintf(text, sizeof(text), "%08u%02u%02u%02u.%06u:000", (unsigned)(ms / DAY_MS),
                   (unsigned)(ms / 3600000 % 24), (unsigned)(ms / 60000 % 60),
                   (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000) * 1000);
    (void)str_copy(out, 26, text);
}
