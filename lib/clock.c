/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/clock.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <polyvisor/id.h>

#define DAY_MS (86400LL * 1000)

static int64_t read_ns(clockid_t which)
{
    struct timespec ts;

    clock_gettime(which, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_mono_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec left;

    if (ms <= 0)
        return;
    left.tv_sec = (time_t)(ms / 1000);
    left.tv_nsec = (long)(ms % 1000) * 1000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Years begin in March here,
 * so that the leap day is the last of its year. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static void put_digits(char *out, int width, int value)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_text(int64_t ms, char out[CLOCK_TEXT_LEN])
{
    const int64_t least = days_of(0, 1, 1) * DAY_MS;
    const int64_t most = days_of(10000, 1, 1) * DAY_MS - 1;
    int64_t days, rest;
    int year, month, day, second;

    if (ms < least)
        ms = least;
    if (ms > most)
        ms = most;
    days = ms / DAY_MS;
    rest = ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    date_of(days, &year, &month, &day);
    second = (int)(rest / 1000);
    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_LEN);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, second / 3600);
    put_digits(out + 14, 2, second / 60 % 60);
    put_digits(out + 17, 2, second % 60);
    put_digits(out + 20, 3, (int)(rest % 1000));
}

/* `width` digits at *at, moved past them. */
static bool take_digits(const char **at, const char *end, int width, int *out)
{
    int value = 0;

    if (end - *at < width)
        return false;
    for (int i = 0; i < width; i++) {
        char c = (*at)[i];

        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += width;
    *out = value;
    return true;
}

static bool take_char(const char **at, const char *end, char c)
{
    if (*at >= end || **at != c)
        return false;
    (*at)++;
    return true;
}

static bool take_date(const char **at, const char *end, int64_t *days)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month, day, most;

    if (!take_digits(at, end, 4, &year) || !take_char(at, end, '-') ||
        !take_digits(at, end, 2, &month) || !take_char(at, end, '-') ||
        !take_digits(at, end, 2, &day))
        return false;
    if (month < 1 || month > 12)
        return false;
    most = lengths[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        most = 29;
    if (day < 1 || day > most)
        return false;
    *days = days_of(year, month, day);
    return true;
}

/* hh:mm:ss and fraction. A leap second counts as the second after it. */
static bool take_time(const char **at, const char *end, int64_t *ms)
{
    int hour, minute, second, fraction = 0, digits = 0;

    if (!take_digits(at, end, 2, &hour) || !take_char(at, end, ':') ||
        !take_digits(at, end, 2, &minute) || !take_char(at, end, ':') ||
        !take_digits(at, end, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (take_char(at, end, '.')) {
        for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, digits++)
            if (digits < 3)
                fraction = fraction * 10 + (**at - '0');
        if (digits == 0 || digits > 9)
            return false;
        for (; digits < 3; digits++)
            fraction *= 10;
    }
    *ms = ((hour * 60LL + minute) * 60 + second) * 1000 + fraction;
    return true;
}

static bool take_offset(const char **at, const char *end, int64_t *ms)
{
    int hour, minute, sign;

    *ms = 0;
    if (take_char(at, end, 'Z') || take_char(at, end, 'z'))
        return true;
    if (take_char(at, end, '+'))
        sign = 1;
    else if (take_char(at, end, '-'))
        sign = -1;
    else
        return false;
    if (!take_digits(at, end, 2, &hour) || !take_char(at, end, ':') ||
        !take_digits(at, end, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *ms = sign * (hour * 60LL + minute) * 60000;
    return true;
}

bool clock_parse(const char *text, size_t len, int64_t *out_ms)
{
    const char *at = text, *end = text + len;
    int64_t days, time_ms = 0, offset_ms = 0;

    if (!take_date(&at, end, &days))
        return false;
    if (at < end) {
        if (!take_char(&at, end, 'T') && !take_char(&at, end, 't') && !take_char(&at, end, ' '))
            return false;
        if (!take_time(&at, end, &time_ms) || !take_offset(&at, end, &offset_ms))
            return false;
    }
    if (at != end)
        return false;
    *out_ms = days * DAY_MS + time_ms - offset_ms;
    return true;
}

int64_t backoff_next_ms(struct backoff *b)
{
    int64_t first = b->first_ms > 0 ? b->first_ms : 1;
    int64_t whole = b->most_ms > first ? b->most_ms : first;
    uint64_t dice;

    if (b->tries < 62 && first <= whole >> b->tries)
        whole = first << b->tries;
    if (b->tries < 62)
        b->tries++;
    id_random(&dice, sizeof(dice));
    return whole - (int64_t)(dice % ((uint64_t)whole / 2 + 1));
}

void backoff_reset(struct backoff *b)
{
    b->tries = 0;
}
