/* SPDX-License-Identifier: Apache-2.0 */
/*
 * term - the person in front: what may reach the terminal, how wide it is, questions.
 *
 * Text of the server never reaches a terminal raw: control characters and
 * those that turn the direction of writing become U+FFFD. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct cli;
struct pv_err;

/* Append text fit for one line of a terminal: no control characters, newlines as spaces. */
void term_clean(struct buf *out, const char *text, size_t len);
/* The same, but lines stay lines. */
void term_clean_lines(struct buf *out, const char *text, size_t len);
/* Columns that clean text takes. */
size_t term_width(const char *text);
/* Bytes of the longest start that takes at most `most` columns. */
size_t term_cut(const char *text, size_t most);
/* Columns of the terminal that stdout is; 0 if it is none. */
size_t term_columns(void);

/* 4294967296 as "4.0 GiB". */
void term_bytes(struct buf *out, uint64_t bytes);
/* Local time, to the second. */
void term_time(struct buf *out, int64_t ms);
void term_duration(struct buf *out, int64_t ms);

enum term_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD };
/* The escape sequence that begins a style, and the one that ends any. */
const char *term_style(enum term_style style);
#define TERM_PLAIN "\033[0m"
/* The style of a state's word: running, failed ... */
enum term_style term_style_of(const char *word);

/* Why stdout does not take what is written: head(1) has seen enough, and that is no reason to
 * complain (PV_EIO without a message), or a full disk. */
int term_out_failed(struct pv_err *err);
/* Write to stdout. */
int term_out(const char *text, size_t len, struct pv_err *err);
/* A note for the person on stderr, unless --quiet. */
void term_note(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A question with yes or no on the terminal; no is what Enter means. */
bool term_confirm(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One line from the terminal, without echo if secret. Owned by the caller. PV_EINVAL: there is no
 * terminal. */
int term_ask(const struct cli *c, const char *prompt, bool secret, char **out, struct pv_err *err);

/* A line on stderr that is written over; nothing if stderr is no terminal. pct < 0: unknown. */
void term_progress(const struct cli *c, int pct, const char *text);
void term_progress_end(const struct cli *c);

/* While waiting, Ctrl-C only sets a mark. */
void term_catch_interrupt(bool on);
bool term_interrupted(void);
