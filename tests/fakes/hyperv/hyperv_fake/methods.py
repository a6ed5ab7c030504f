# SPDX-License-Identifier: Apache-2.0
"""Loads all method handlers."""

from . import (methods_cluster, methods_guest, methods_image, methods_move, methods_others, methods_power, methods_resources,
               methods_services, methods_snapshot, methods_summary, methods_switch, methods_system)

LOADED = (methods_cluster, methods_guest, methods_image, methods_move, methods_others, methods_power, methods_resources,
          methods_services, methods_snapshot, methods_summary, methods_switch, methods_system)


def register():
    """Importing this module registers the handlers; calling it says that this is wanted."""
    return len(LOADED)
