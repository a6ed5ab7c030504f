// SPDX-License-Identifier: Apache-2.0
// What a snapshot will take, as far as anybody can know beforehand: its memory at once, the disks with every change.
import { useTranslation } from 'react-i18next';
import { valueAt } from '../api/model';
import type { Item } from '../api/types';
import { bytes } from '../i18n/format';
import type { Values } from './draft';

/** Memory that goes into the snapshot: of a machine that runs, where it is asked for. */
export function memoryOf(machine: Item, params: Values): number | null {
    const asked =
        params.memory === true || (params.memory === undefined && params.snapshot_type === 'standard');
    const size = valueAt(machine, 'memory.bytes');
    return asked && machine.power_state === 'running' && typeof size === 'number' ? size : null;
}

export function ShotSpace({ machine, params }: { machine: Item; params: Values }) {
    const { t } = useTranslation();
    const used = valueAt(machine, 'storage.used_bytes');
    const memory = memoryOf(machine, params);
    return (
        <p className="pv-subtle" aria-live="polite">
            {memory !== null && <>{t('machine.space.memory', { memory: bytes(memory) })} </>}
            {typeof used === 'number' && used > 0
                ? t('machine.space.disks', { size: bytes(used) })
                : t('machine.space.disks_unknown')}
        </p>
    );
}
