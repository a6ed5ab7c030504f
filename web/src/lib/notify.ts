// SPDX-License-Identifier: Apache-2.0
// Notifications: shown for a moment, kept in the drawer until read.
export interface Note {
    id: number;
    variant: 'success' | 'danger' | 'warning' | 'info';
    title: string;
    body?: string;
    link?: { to: string; text: string };
    /** Something to do about it, once. */
    action?: { text: string; run: () => void };
    time: number;
    read: boolean;
    /** Still in the corner. */
    toast: boolean;
}

const KEEP = 100;
let notes: Note[] = [];
let last = 0;
const listeners = new Set<() => void>();

function tell(): void {
    for (const listener of listeners) listener();
}

export const notifications = {
    get: (): Note[] => notes,
    subscribe(listener: () => void): () => void {
        listeners.add(listener);
        return () => listeners.delete(listener);
    },
    read(): void {
        notes = notes.map((n) => ({ ...n, read: true, toast: false }));
        tell();
    },
    hide(id: number): void {
        notes = notes.map((n) => (n.id === id ? { ...n, toast: false } : n));
        tell();
    },
    /** Its action was taken: it is not offered again. */
    act(id: number): void {
        notes.find((n) => n.id === id)?.action?.run();
        notes = notes.map((n) => (n.id === id ? { ...n, action: undefined, toast: false } : n));
        tell();
    },
    clear(): void {
        notes = [];
        tell();
    },
};

export function notify(note: Pick<Note, 'variant' | 'title' | 'body' | 'link' | 'action'>): void {
    const id = ++last;
    // The same again takes the place of what is still shown of it.
    const others = notes.filter(
        (n) => !n.toast || n.variant !== note.variant || n.title !== note.title || n.body !== note.body,
    );
    notes = [{ ...note, id, time: Date.now(), read: false, toast: true }, ...others].slice(0, KEEP);
    tell();
    if (note.variant !== 'danger') setTimeout(() => notifications.hide(id), 6000);
}
