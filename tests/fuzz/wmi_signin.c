/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a host says while somebody signs in, and after it: an NTLM challenge, an
 * encrypted body, its sealed part. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>

#include <polyvisor/buf.h>
#include <polyvisor/err.h>

#include "drivers/wmi/auth.h"
#include "drivers/wmi/auth_ntlm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void challenge(const uint8_t *data, size_t size)
{
    static const uint8_t channel[48];
    const struct ntlm_account account = { .user = "d\\u",
                                          .password = "p",
                                          .service = "HTTP/h",
                                          .channel = channel,
                                          .channel_len = sizeof(channel) };
    struct ntlm ntlm;
    struct buf out;

    buf_init(&out, 1u << 18);
    ntlm_begin(&ntlm, &out);
    if (ntlm_answer(&ntlm, &account, data, size, NULL, &out, NULL) == PV_OK && !ntlm.ready)
        abort();
    ntlm_wipe(&ntlm);
    buf_free(&out);
}

/* The parts lie in the body, one behind the other. */
static void body(const char *data, size_t size, struct multipart *m)
{
    if (!multipart_read(data, size, m))
        return;
    if (m->head < data || m->sealed != m->head + m->head_len ||
        m->sealed + m->sealed_len > data + size)
        abort();
}

/* Nobody who does not have the key gets a text accepted. */
static void sealed(const uint8_t *data, size_t size)
{
    struct ntlm ntlm = { .ready = true };
    struct buf out;

    if (size < NTLM_SIGNATURE)
        return;
    buf_init(&out, size + 1);
    for (unsigned i = 0; i < 256; i++)
        ntlm.receive.s[i] = (uint8_t)(i * 7);
    (void)ntlm_unseal(&ntlm, data, (const char *)data + NTLM_SIGNATURE, size - NTLM_SIGNATURE,
                      &out);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct multipart m;

    if (size < 1)
        return 0;
    switch (data[0] % 3) {
    case 0:
        challenge(data + 1, size - 1);
        break;
    case 1:
        body((const char *)data + 1, size - 1, &m);
        break;
    default:
        sealed(data + 1, size - 1);
    }
    return 0;
}
