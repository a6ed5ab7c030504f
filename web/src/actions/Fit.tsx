// SPDX-License-Identifier: Apache-2.0
// Whether what is made or moved has room where it goes: space of a datastore, memory of a host.
import { useTranslation } from 'react-i18next';
import { valueAt } from '../api/model';
import type { Item } from '../api/types';
import { bytes } from '../i18n/format';
import { Mark } from '../lib/cells';
import { roomOf, useRoom } from './ParamFields';
import type { Values } from './draft';

export type FitLevel = 'fits' | 'tight' | 'no';

/** Tight: less than a tenth of the whole would be left. */
export function fitOf(free: number, total: number, need: number): FitLevel {
    if (need > free) return 'no';
    return free - need < total / 10 ? 'tight' : 'fits';
}

/** What a machine that is cloned or moved takes where it goes; null where nobody knows. */
export function needOf(
    operation: string,
    machine: Item | undefined,
    params: Values,
    kind: string,
): number | null {
    if (!machine || !/^vm\.(clone|move|disk\.attach)$/.test(operation)) return null;
    const known = (v: unknown) => (typeof v === 'number' && v > 0 ? v : null);
    if (operation === 'vm.disk.attach') return kind === 'datastore' ? known(params.capacity_bytes) : null;
    if (kind === 'host') {
        const runs = operation === 'vm.clone' ? params.start === true : machine.power_state === 'running';
        return runs ? known(valueAt(machine, 'memory.bytes')) : null;
    }
    if (params.linked === true) return null;
    return known(valueAt(machine, 'storage.used_bytes'));
}

export function Fit(p: { kind: string; id: string; need: number | null; same?: boolean }) {
    const { t } = useTranslation();
    const item = useRoom(p.kind, p.id);
    const room = roomOf(item);
    if (!item || !room) return null;
    const level = p.need === null ? null : fitOf(room.free, room.total, p.need);
    const used = ((room.total - room.free) / room.total) * 100;
    const more = p.need === null ? 0 : Math.min(100 - used, (p.need / room.total) * 100);
    const text = t(`machine.room_${room.what}`, { free: bytes(room.free), total: bytes(room.total) });
    return (
        <div className="pv-fit" data-level={level ?? undefined}>
            <span className="pv-fit__track" aria-hidden="true">
                <span className="pv-fit__used" style={{ width: `${used}%` }} />
                <span className="pv-fit__more" style={{ width: `${more}%` }} />
            </span>
            <span>
                {p.same && <>{t('machine.stays_at', { name: item.name ?? '' })} </>}
                {text}
                {level && p.need !== null && (
                    <span className="pv-fit__word">
                        <Mark as={level === 'fits' ? 'on' : level === 'tight' ? 'warn' : 'bad'} />
                        {t(`machine.fit_${level}`, { need: bytes(p.need) })}
                    </span>
                )}
            </span>
        </div>
    );
}
