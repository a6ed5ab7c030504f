/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remove_tree - deletes a test's temporary folder with what is in it.
 */
#pragma once

#include <ftw.h>
#include <stdio.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* 0, or -1 with errno. Stays on the folder's file system, follows no links. */
static inline int remove_tree(const char *path)
{
    return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
