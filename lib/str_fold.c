/* SPDX-License-Identifier: Apache-2.0 */
/* Simple case folding (Unicode's CaseFolding.txt, status C and S) of str.h's blocks. */
#include <polyvisor/str.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/utf8.h>

/* Capitals are `first`, `first` + step ... `last`; each folds to itself + `delta`. */
struct fold {
    uint16_t first, last;
    int16_t delta;
    uint8_t step;
};

/* In order of `first`, without overlaps: searched by halving. */
static const struct fold folds[] = {
    { 0x00b5, 0x00b5, 775, 1 },  { 0x00c0, 0x00d6, 32, 1 },   { 0x00d8, 0x00de, 32, 1 },
    { 0x0100, 0x012e, 1, 2 },    { 0x0132, 0x0136, 1, 2 },    { 0x0139, 0x0147, 1, 2 },
    { 0x014a, 0x0176, 1, 2 },    { 0x0178, 0x0178, -121, 1 }, { 0x0179, 0x017d, 1, 2 },
    { 0x017f, 0x017f, -268, 1 },

    { 0x0370, 0x0372, 1, 2 },    { 0x0376, 0x0376, 1, 1 },    { 0x037f, 0x037f, 116, 1 },
    { 0x0386, 0x0386, 38, 1 },   { 0x0388, 0x038a, 37, 1 },   { 0x038c, 0x038c, 64, 1 },
    { 0x038e, 0x038f, 63, 1 },   { 0x0391, 0x03a1, 32, 1 },   { 0x03a3, 0x03ab, 32, 1 },
    { 0x03c2, 0x03c2, 1, 1 },    { 0x03cf, 0x03cf, 8, 1 },    { 0x03d0, 0x03d0, -30, 1 },
    { 0x03d1, 0x03d1, -25, 1 },  { 0x03d5, 0x03d5, -15, 1 },  { 0x03d6, 0x03d6, -22, 1 },
    { 0x03d8, 0x03ee, 1, 2 },    { 0x03f0, 0x03f0, -54, 1 },  { 0x03f1, 0x03f1, -48, 1 },
    { 0x03f4, 0x03f4, -60, 1 },  { 0x03f5, 0x03f5, -64, 1 },  { 0x03f7, 0x03f7, 1, 1 },
    { 0x03f9, 0x03f9, -7, 1 },   { 0x03fa, 0x03fa, 1, 1 },    { 0x03fd, 0x03ff, -130, 1 },

    { 0x0400, 0x040f, 80, 1 },   { 0x0410, 0x042f, 32, 1 },   { 0x0460, 0x0480, 1, 2 },
    { 0x048a, 0x04be, 1, 2 },    { 0x04c0, 0x04c0, 15, 1 },   { 0x04c1, 0x04cd, 1, 2 },
    { 0x04d0, 0x052e, 1, 2 },
};

static unsigned fold_char(unsigned c)
{
    size_t low = 0, high = PV_COUNT(folds);

    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct fold *f = &folds[mid];

        if (c < f->first)
            high = mid;
        else if (c > f->last)
            low = mid + 1;
        else
            return (c - f->first) % f->step == 0 ? (unsigned)((int)c + f->delta) : c;
    }
    return c;
}

void str_fold(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);

        if (n == 1) {
            char c = text[i];

            buf_char(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
        } else if (n == 2) {
            unsigned c = ((unsigned)text[i] & 0x1f) << 6 | ((unsigned)text[i + 1] & 0x3f);

            c = fold_char(c);
            if (c < 0x80) { /* U+017F, the long s */
                buf_char(out, (char)c);
            } else {
                char two[2] = { (char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f)) };

                buf_append(out, two, 2);
            }
        } else {
            buf_append(out, text + i, n ? n : 1);
        }
        i += n ? n : 1;
    }
}
