/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_ntlm - the client's side of NTLMv2 ([MS-NLMP]): three messages, then
 * signing and sealing.
 *
 * Only version 2 with extended session security, 128 bit and key exchange is
 * spoken; a server that offers less is refused. Sends the message integrity
 * code, the service's name and the TLS channel binding, so hosts with strict
 * hardening are content.
 *
 * Written here because the GSS-API plugin for it loses memory with each
 * sign-in, which thousands of polled hosts would show.
 * Ownership: plain memory of the caller, wiped by ntlm_wipe. Threads: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/buf.h>

struct pv_err;

#define NTLM_SIGNATURE 16u

struct ntlm_stream {
    uint8_t s[256], i, j; /* RC4 */
};

struct ntlm {
    uint8_t negotiate[40]; /* the first message, which the MIC covers */
    uint8_t exported[16];
    struct ntlm_stream send, receive;
    uint8_t send_key[16], receive_key[16]; /* for signatures */
    uint32_t send_number, receive_number;
    bool ready;
};

/* Who signs in and where. */
struct ntlm_account {
    const char *user;        /* DOMAIN\user, user@domain or user; UTF-8 */
    const char *password;    /* UTF-8 */
    const char *service;     /* "HTTP/host", or NULL */
    const uint8_t *channel;  /* hash of the server's certificate (RFC 5929), channel_len bytes; 0: none */
    size_t channel_len;
};

/* What is random or the time of day; NULL for ntlm_answer: taken fresh. */
struct ntlm_chance {
    uint8_t client[8], session[16];
    uint64_t time; /* 100 ns since 1601 */
};

/* Appends the first message. */
void ntlm_begin(struct ntlm *n, struct buf *out);
/* Reads the server's challenge, appends the third message. PV_EAUTH: the server's message is unusable. */
int ntlm_answer(struct ntlm *n, const struct ntlm_account *account, const uint8_t *challenge,
                size_t len, const struct ntlm_chance *chance, struct buf *out, struct pv_err *err);
/* After ntlm_answer: encrypts `len` bytes into `sealed`, and the signature. */
void ntlm_seal(struct ntlm *n, const char *text, size_t len, uint8_t signature[NTLM_SIGNATURE],
               struct buf *sealed);
/* The other way; false: the signature does not fit, and nothing is to be believed. */
bool ntlm_unseal(struct ntlm *n, const uint8_t signature[NTLM_SIGNATURE], const char *sealed,
                 size_t len, struct buf *out);
void ntlm_wipe(struct ntlm *n);
