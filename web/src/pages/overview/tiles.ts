// SPDX-License-Identifier: Apache-2.0
// The health map's geometry.
import type { Schemas } from '../../api/types';

export type HostItem = NonNullable<Schemas['Summary']['host_items']>[number];

const SIDE = 44;
const LEAST = 24;

/** Of a square whose area stands for memory; never smaller than a finger hits. */
export function tileSide(memory: number, most: number): number {
    return most > 0 ? Math.max(LEAST, Math.round(SIDE * Math.sqrt(memory / most))) : LEAST;
}

export const STATUSES = ['critical', 'away', 'warning', 'maintenance', 'unknown', 'ok'] as const;
export type Status = (typeof STATUSES)[number];

/** The worst that is to be said of a host and of what runs on it. */
export function statusOf(host: HostItem): Status {
    const worst = host.worst_health;
    if (worst === 'critical') return 'critical';
    if (host.state === 'disconnected' || host.state === 'not_responding') return 'away';
    if (worst === 'warning') return 'warning';
    if (host.maintenance) return 'maintenance';
    return worst === 'ok' ? 'ok' : 'unknown';
}

/** Where an arrow leads: sideways to the next in order, up and down to the nearest of the line there. Null: no key of ours. */
export function stepTo(boxes: { x: number; y: number }[], at: number, key: string): number | null {
    const last = boxes.length - 1;
    const here = boxes[at]!;
    const line = (down: boolean) => {
        const beyond = boxes.filter((b) => (down ? b.y > here.y + 1 : b.y < here.y - 1)).map((b) => b.y);
        if (!beyond.length) return at;
        const y = down ? Math.min(...beyond) : Math.max(...beyond);
        let best = at;
        let far = Infinity;
        boxes.forEach((b, i) => {
            if (b.y !== y || Math.abs(b.x - here.x) >= far) return;
            far = Math.abs(b.x - here.x);
            best = i;
        });
        return best;
    };
    switch (key) {
        case 'ArrowRight':
            return Math.min(last, at + 1);
        case 'ArrowLeft':
            return Math.max(0, at - 1);
        case 'ArrowDown':
            return line(true);
        case 'ArrowUp':
            return line(false);
        case 'Home':
            return 0;
        case 'End':
            return last;
        default:
            return null;
    }
}

/** Without its domain; an address stays whole. */
export function shortName(name: string): string {
    return /^[\d.:]+$/.test(name) ? name : name.replace(/\..*$/, '');
}

export interface MapGroup {
    id: string;
    name: string;
    clusters: { id: string; name: string; hosts: HostItem[] }[];
}

/** By provider, then by cluster; hosts in none come last. */
export function grouped(hosts: HostItem[]): MapGroup[] {
    const providers = new Map<string, MapGroup>();
    for (const host of hosts) {
        const of = host.provider?.id ?? '';
        let group = providers.get(of);
        if (!group) providers.set(of, (group = { id: of, name: host.provider?.name ?? '', clusters: [] }));
        const id = host.cluster?.id ?? '';
        let cluster = group.clusters.find((c) => c.id === id);
        if (!cluster) group.clusters.push((cluster = { id, name: host.cluster?.name ?? '', hosts: [] }));
        cluster.hosts.push(host);
    }
    const all = [...providers.values()].sort((a, b) => a.name.localeCompare(b.name));
    for (const group of all)
        group.clusters.sort((a, b) => Number(!a.id) - Number(!b.id) || a.name.localeCompare(b.name));
    return all;
}
