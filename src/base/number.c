#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Digits only, so that strtoull's leniency (blanks, signs on unsigned numbers) has nothing to act on. */
static bool parse_digits(const char *text, uint64_t *value) {
    uint64_t sum = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!is_digit(*text)) {
            return false;
        }
        uint64_t digit = (uint64_t)(*text - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool hn_parse_u64(const char *text, uint64_t *value) {
    return parse_digits(*text == '+' ? text + 1 : text, value);
}

bool hn_parse_i64(const char *text, int64_t *value) {
    bool negative = *text == '-';
    uint64_t magnitude = 0;
    if (!parse_digits(negative || *text == '+' ? text + 1 : text, &magnitude)) {
        return false;
    }
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1u : 0u)) {
        return false;
    }
    *value = negative ? (int64_t)(UINT64_C(0) - magnitude) : (int64_t)magnitude;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit in the mantissa. */
static bool is_decimal(const char *text) {
    size_t n_digits = 0;
    if (*text == '+' || *text == '-') {
        text++;
    }
    for (; is_digit(*text); text++) {
        n_digits++;
    }
    if (*text == '.') {
        for (text++; is_digit(*text); text++) {
            n_digits++;
        }
    }
    if (n_digits == 0) {
        return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '+' || *text == '-') {
            text++;
        }
        if (!is_digit(*text)) {
            return false;
        }
        while (is_digit(*text)) {
            text++;
        }
    }
    return *text == '\0';
}

/* The form is checked here, so strtod sees plain decimals only. It reads '.' in the "C" locale, which the program never
 * leaves (no setlocale anywhere); under another locale it would stop at the point, and the number is refused. */
bool hn_parse_double(const char *text, double *value) {
    if (!is_decimal(text)) {
        return false;
    }
    char *end = NULL;
    double parsed = strtod(text, &end);
    if (*end != '\0' || !isfinite(parsed)) {
        return false;
    }
    *value = parsed;
    return true;
}

bool hn_parse_gigabytes(const char *text, uint64_t *n_bytes) {
    double gigabytes = 0.0;
    if (!hn_parse_double(text, &gigabytes) || gigabytes <= 0.0 || gigabytes > 1e6) {
        return false;
    }
    *n_bytes = (uint64_t)ceil(gigabytes * 1e9); /* 0 would be no limit */
    return true;
}

/* Exactly n digits at text[0..n). */
static bool fixed_digits(const char *text, size_t n, int *value) {
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(text[i])) {
            return false;
        }
        sum = sum * 10 + (text[i] - '0');
    }
    *value = sum;
    return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; years are counted from March, so that the leap day is the
 * last of its year. */
static int64_t days_from_civil(int64_t year, int month, int day) {
    year -= month <= 2 ? 1 : 0;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month) {
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

bool hn_parse_date(const char *text, int64_t *unix_seconds) {
    size_t length = strlen(text);
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (length < 10 || !fixed_digits(text, 4, &year) || text[4] != '-' || !fixed_digits(text + 5, 2, &month) ||
        text[7] != '-' || !fixed_digits(text + 8, 2, &day)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    if (length > 10) {
        const char *clock = text + 11;
        if ((text[10] != ' ' && text[10] != 'T') || (length != 19 && !(length == 20 && text[19] == 'Z')) ||
            !fixed_digits(clock, 2, &hour) || clock[2] != ':' || !fixed_digits(clock + 3, 2, &minute) ||
            clock[5] != ':' || !fixed_digits(clock + 6, 2, &second) || hour > 23 || minute > 59 || second > 60) {
            return false;
        }
    }
    *unix_seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}
