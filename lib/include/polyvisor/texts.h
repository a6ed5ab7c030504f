/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texts - sentences for people, as a code and what stands in their places.
 *
 * Whoever fails writes one English sentence (pv_fail), and drivers of others
 * know nothing of our codes. So a sentence is recognised where it leaves the
 * server, by lib/model/texts.def and the
 * remedies of errors.def: whoever shows it in another language finds
 * code and values beside it, whoever does not reads the English text.
 *
 * Ownership: found values are borrowed from the sentence. Threads: pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct jsonw;

#define TEXT_PLACES_MAX 6

struct text {
    const char *code;
    const char *english;    /* as a printf format */
    const char *places;     /* names of its places, with spaces between, and * or ! behind them (see texts.def) */
};

struct text_found {
    const struct text *text;
    size_t n;
    struct text_value {
        const char *name, *value;
        size_t name_len, len;
        bool wide, must;        /* of matching: may hold spaces; must be a sentence of the table */
    } values[TEXT_PLACES_MAX];
};

/* All of them, ended by code == NULL. */
const struct text *texts_all(void);
/* The line that `sentence` fits; false: none. */
bool texts_find(const char *sentence, struct text_found *out);
/* "{host} did not answer in time": the English text with its places by name, for the API description. */
void texts_write_named(struct jsonw *w, const char *key, const struct text *text);
/* The member `key`: {code, params{}} of a sentence; nothing where there is no line for it or no sentence. A place that
 * holds a sentence is {code, params, text} again. */
void texts_write(struct jsonw *w, const char *key, const char *sentence);
