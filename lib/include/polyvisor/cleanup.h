/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup - locals that release what they own when they leave scope.
 *
 *     PV_AUTO_FREE char *text = NULL;
 *     PV_AUTO_CLOSE int fd = open(...);
 *     PV_AUTO(xmlFreeDoc_p) xmlDocPtr doc = NULL;       with PV_DEFINE_AUTO below
 *     return PV_TAKE(text);                             moves ownership to the caller
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

static inline void pv_cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void pv_cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define PV_AUTO(fn) __attribute__((cleanup(fn)))
#define PV_AUTO_FREE PV_AUTO(pv_cleanup_free)
#define PV_AUTO_CLOSE PV_AUTO(pv_cleanup_close)

/* PV_DEFINE_AUTO(buf_free, struct buf *) makes buf_free_p for use with PV_AUTO. */
#define PV_DEFINE_AUTO(fn, type)                                                                   \
    static inline void fn##_p(type *p)                                                             \
    {                                                                                              \
        if (*p)                                                                                    \
            fn(*p);                                                                                \
    }

#define PV_TAKE(p)                                                                                 \
    __extension__({                                                                                \
        __typeof__(p) *pv_from_ = &(p);                                                            \
        __typeof__(p) pv_taken_ = *pv_from_;                                                       \
        *pv_from_ = NULL;                                                                          \
        pv_taken_;                                                                                 \
    })

#define PV_COUNT(array) (sizeof(array) / sizeof((array)[0]))
