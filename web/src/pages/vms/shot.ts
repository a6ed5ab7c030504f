// SPDX-License-Identifier: Apache-2.0
import type { Item } from '../../api/types';

/** A snapshot as lists give it. */
export interface Shot extends Item {
    parent?: { id: string } | null;
    taken_at?: string | null;
    size_bytes?: number | null;
    memory?: boolean | null;
    quiesced?: boolean | null;
    current?: boolean | null;
    description?: string | null;
    snapshot_type?: string | null;
    power_state?: string | null;
    expires_at?: string | null;
    expiry?: { deleting?: boolean | null; failures?: number | null; next_at?: string | null } | null;
}
