/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameter tables of lib/model/operations.c; private to lib/model.
 *
 * Members that change an object carry the paths of its fields, so that the
 * model knows the before and after form of a change without further tables.
 */
#pragma once

#include <polyvisor/model.h>

/* A family has these words only, and says so. */
#define HAS(family_, words_, why_) { .family = PV_FAMILY_##family_, .words = (words_), .why = (why_) }
#define HAS_END { .family = PV_FAMILY_LOCAL }
/* How disks take space. */
extern const struct model_has params_layouts_of[];

extern const struct model_param params_shutdown[], params_stop[], params_delete_vm[];
extern const struct model_param params_create_vm[], params_import_vm[], params_clone_vm[];
extern const struct model_param params_move_vm[], params_export_vm[], params_template_vm[];
extern const struct model_param params_rename_vm[], params_reconfigure_vm[];
extern const struct model_param params_attach_disk[], params_update_disk[], params_detach_disk[];
extern const struct model_param params_attach_nic[], params_update_nic[];
extern const struct model_param params_attach_cdrom[], params_mount_iso[];
extern const struct model_param params_attach_controller[];
extern const struct model_param params_create_snapshot[], params_update_snapshot[];
extern const struct model_param params_delete_snapshot[], params_export_snapshot[];
extern const struct model_param params_set_guest_data[];
extern const struct model_param params_screenshot[], params_keystrokes[], params_console[];
extern const struct model_param params_create_switch[], params_update_switch[];
extern const struct model_param params_create_image[], params_resize_image[], params_compact_image[];
extern const struct model_param params_browse[], params_a_file[], params_upload_file[], params_move_file[];
extern const struct model_param params_convert_image[], params_merge_image[];
extern const struct model_param params_maintenance[], params_trust[];
extern const struct model_param params_tag_vm[], params_file_vm[], params_enter_maintenance[],
    params_stop_service[], params_start_service[];
