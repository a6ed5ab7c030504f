/* SPDX-License-Identifier: Apache-2.0 */
/* A driver that does what its settings say: {"settings":{"do":"crash-watch"}}. Knows the interface only. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <polyvisor/driver.h>

struct session {
    const struct pv_host *host;
    char what[4096];
};

static bool does(const struct session *s, const char *what)
{
    char quoted[64];

    snprintf(quoted, sizeof(quoted), "\"%s\"", what);
    return strstr(s->what, quoted) != NULL;
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

/* Never returns, and listens to nobody. */
static void hang(void)
{
    for (;;)
        nap();
}

static void crash(void)
{
    abort();
}

static int fail(struct pv_failure *f, int rc, const char *message)
{
    f->code = rc;
    snprintf(f->message, sizeof(f->message), "%s", message);
    return rc;
}

static int emit_one(const struct session *s, pv_ref id, uint32_t slots)
{
    char record[PV_RECORD_HEAD + 8 * 256] = { 0 };
    struct pv_batch batch = { .size = sizeof(batch), .kind = PV_KIND_vm,
                              .stride = PV_RECORD_HEAD + 8 * slots, .count = 1, .blob_len = 4,
                              .records = record, .blob = "vm-1" };

    memcpy(record + offsetof(struct pv_record, native_id), &id, sizeof(id));
    return s->host->emit(s->host->ctx, &batch);
}

/* A batch that does not fit into a frame. */
static int emit_large(const struct session *s)
{
    uint32_t stride = PV_RECORD_HEAD + 8 * 40, count = 4000;
    char *records = calloc(count, stride), *blob = calloc(count, 8);
    struct pv_batch batch = { .size = sizeof(batch), .kind = PV_KIND_vm, .stride = stride,
                              .count = count, .blob_len = count * 8, .records = records,
                              .blob = blob };
    int rc = PV_ENOMEM;

    if (records && blob) {
        for (uint32_t i = 0; i < count; i++) {
            pv_ref id = { i * 8, 7 };
            char text[9];

            snprintf(text, sizeof(text), "v%06u", i % 1000000u);
            memcpy(blob + i * 8, text, 8);
            memcpy(records + (size_t)i * stride + offsetof(struct pv_record, native_id), &id,
                   sizeof(id));
        }
        rc = s->host->emit(s->host->ctx, &batch);
    }
    free(records);
    free(blob);
    return rc;
}

static int unruly_probe(const struct pv_host *host, const char *config, uint64_t call,
                        char **report, struct pv_failure *f)
{
    struct session s = { .host = host };

    snprintf(s.what, sizeof(s.what), "%s", config);
    if (does(&s, "crash-probe"))
        crash();
    if (does(&s, "wait-probe"))
        while (!host->cancelled(host->ctx, call))
            nap();
    if (does(&s, "wait-probe"))
        return fail(f, PV_ECANCELED, "canceled");
    *report = strdup("[{\"step\":\"look\",\"ok\":true,\"detail\":\"fine\"}]");
    return PV_OK;
}

static int unruly_open(const struct pv_host *host, const char *config, void **session,
                       struct pv_failure *f)
{
    struct session *s = calloc(1, sizeof(*s));

    if (!s)
        return PV_ENOMEM;
    s->host = host;
    snprintf(s->what, sizeof(s->what), "%s", config);
    if (does(s, "crash-open"))
        crash();
    if (does(s, "hang-open"))
        hang();
    if (does(s, "fail-open")) {
        free(s);
        snprintf(f->remedy, sizeof(f->remedy), "do better");
        return fail(f, PV_EAUTH, "wrong password");
    }
    for (int i = 0; does(s, "slow-open") && i < 50; i++)
        nap();
    if (does(s, "leak"))
        for (int i = 0; i < 50; i++)
            if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
                break;
    *session = s;
    return PV_OK;
}

static void unruly_close(void *session)
{
    struct session *s = session;

    if (does(s, "crash-close"))
        crash();
    if (does(s, "hang-close"))
        hang();
    free(s);
}

static int flood(const struct session *s)
{
    int rc = PV_OK;

    while (rc == PV_OK)
        rc = emit_one(s, (pv_ref){ 0, 4 }, 8);
    return rc;
}

static int unruly_watch(void *session, uint64_t call, const char *cursor, struct pv_failure *f)
{
    struct session *s = session;

    if (does(s, "crash-watch"))
        crash();
    if (does(s, "flood"))
        return fail(f, flood(s), "flooded");
    if (does(s, "bad-batch"))
        emit_one(s, (pv_ref){ 0xfffffff0u, 0xff }, 256);
    else if (does(s, "large"))
        emit_large(s);
    else
        emit_one(s, (pv_ref){ 0, 4 }, 8);
    s->host->provider(s->host->ctx, "{\"state\":\"connected\"}");
    s->host->mark(s->host->ctx, PV_MARK_CHANGES, cursor ? cursor : "first");
    if (does(s, "return-watch"))
        return PV_OK;
    if (does(s, "hang-watch"))
        hang();
    while (!s->host->cancelled(s->host->ctx, call))
        nap();
    return fail(f, PV_ECANCELED, "canceled");
}

static int unruly_refresh(void *session, uint64_t call, uint32_t kind, const char *native_id,
                          struct pv_failure *f)
{
    struct session *s = session;

    (void)call;
    (void)kind;
    if (does(s, "crash-refresh"))
        crash();
    if (strcmp(native_id, "vm-1") != 0)
        return fail(f, PV_ENOENT, "no such VM");
    return emit_one(s, (pv_ref){ 0, 4 }, 8);
}

/* What came of a stream: how many bytes, their sum, and the last answer. */
static char *stream_answer(uint64_t bytes, uint64_t sum, int64_t last)
{
    char text[128];

    snprintf(text, sizeof(text), "{\"bytes\":%llu,\"sum\":%llu,\"last\":%lld}",
             (unsigned long long)bytes, (unsigned long long)sum, (long long)last);
    return strdup(text);
}

static char *read_stream(const struct session *s, uint64_t stream)
{
    unsigned char piece[5000];
    uint64_t bytes = 0, sum = 0;
    int64_t n;

    while ((n = s->host->stream_read(s->host->ctx, stream, piece, sizeof(piece))) > 0) {
        bytes += (uint64_t)n;
        for (int64_t i = 0; i < n; i++)
            sum += piece[i];
    }
    return stream_answer(bytes, sum, n);
}

/* Until somebody stops it, or `most` bytes were written: each is the low byte of its place. */
static char *write_stream(const struct session *s, uint64_t stream, uint64_t most)
{
    unsigned char piece[4096];
    uint64_t bytes = 0;
    int64_t n = 0;

    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (unsigned char)i;
    while (bytes < most && n >= 0) {
        n = s->host->stream_write(s->host->ctx, stream, piece, sizeof(piece));
        bytes += n > 0 ? (uint64_t)n : 0;
    }
    return stream_answer(bytes, 0, n < 0 ? n : 0);
}

/* Operations are words of the test's: what to do is in the operation, the answer in the result. */
static int unruly_call(void *session, uint64_t call, const char *operation, const char *subject,
                       const char *args, const char *native_ref, uint32_t flags, char **result,
                       struct pv_failure *f)
{
    struct session *s = session;
    struct pv_progress progress = { .size = sizeof(progress), .percent = 50,
                                    .native_ref = "job-7" };
    char secret[64] = "", text[512];

    (void)subject;
    if (strcmp(operation, "crash") == 0)
        crash();
    if (strcmp(operation, "hang") == 0) {
        /* Tells that it has begun, so that a test does not cancel it before. */
        s->host->progress(s->host->ctx, call, &progress);
        hang();
    }
    if (strcmp(operation, "odd") == 0)
        return 12345;
    if (strcmp(operation, "wait") == 0) {
        while (!s->host->cancelled(s->host->ctx, call))
            nap();
        return fail(f, PV_ECANCELED, "canceled");
    }
    if (strcmp(operation, "read-stream") == 0 || strcmp(operation, "read-other") == 0) {
        *result = read_stream(s, strcmp(operation, "read-other") == 0 ? 2 : 1);
        return PV_OK;
    }
    if (strcmp(operation, "write-stream") == 0 || strcmp(operation, "write-for-ever") == 0) {
        *result = write_stream(s, 1, strcmp(operation, "write-stream") == 0 ? 1u << 20 : UINT64_MAX);
        return PV_OK;
    }
    if (strcmp(operation, "write-crash") == 0) {
        write_stream(s, 1, 8192);
        crash();
    }
    if (strcmp(operation, "fork") == 0) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        if (pid > 0)
            waitpid(pid, NULL, 0);
        snprintf(text, sizeof(text), "{\"forked\":%s}", pid > 0 ? "true" : "false");
        *result = strdup(text);
        return PV_OK;
    }
    if (strcmp(operation, "exec") == 0) {
        char *const argv[] = { (char *)"true", NULL };

        execv("/bin/true", argv);
        *result = strdup("{}");
        return PV_OK;
    }
    if (strcmp(operation, "steps") == 0) {
        for (int i = 0; i < 1000; i++) {
            progress.percent = i / 10;
            s->host->progress(s->host->ctx, call, &progress);
            progress.native_ref = NULL;
        }
    }
    if (strcmp(operation, "tell") == 0) {
        int told = s->host->progress(s->host->ctx, call, &progress);

        snprintf(text, sizeof(text), "{\"told\":%d,\"again\":%d}", told,
                 s->host->progress(s->host->ctx, call, &progress));
        *result = strdup(text);
        return PV_OK;
    }
    s->host->secret(s->host->ctx, "password", secret, sizeof(secret));
    if (strcmp(operation, "log-secret") == 0) {
        snprintf(text, sizeof(text), "the password is %s", secret);
        s->host->log(s->host->ctx, PV_LOG_LEVEL_INFO, text);
    }
    snprintf(text, sizeof(text), "{\"operation\":\"%s\",\"args\":%s,\"ref\":\"%s\",\"flags\":%u,"
             "\"secret\":\"%s\"}", operation, args, native_ref ? native_ref : "", flags, secret);
    *result = strdup(text);
    return PV_OK;
}

static void unruly_free_text(char *text)
{
    free(text);
}

static const struct pv_driver driver = {
    .size = sizeof(struct pv_driver), .abi_major = PV_ABI_MAJOR, .abi_minor = PV_ABI_MINOR,
    .name = "unruly", .version = "1", .config_schema = "{}", .operations = "[\"vm.start\"]",
    .probe = unruly_probe, .open = unruly_open, .close = unruly_close, .watch = unruly_watch,
    .refresh = unruly_refresh, .call = unruly_call, .free_text = unruly_free_text,
};

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    return &driver;
}
