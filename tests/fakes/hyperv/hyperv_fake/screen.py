# SPDX-License-Identifier: Apache-2.0
"""The screen of a VM: a picture that depends on the VM and what was typed, as RGB565 little-endian, top-down."""

import struct


def pixel(vm, x, y, width, height) -> int:
    """A gradient with a frame; each VM has colours of its own."""
    if x in (0, width - 1) or y in (0, height - 1):
        return 0xFFFF
    seed = int(vm.id[:4], 16)
    red = (x * 31 // width + seed) & 31
    green = (y * 63 // height + (seed >> 5)) & 63
    return red << 11 | green << 5 | (seed >> 10) & 31


def thumbnail(vm, width, height) -> bytes:
    return b"".join(struct.pack(f"<{width}H", *(pixel(vm, x, y, width, height) for x in range(width)))
                    for y in range(height))
