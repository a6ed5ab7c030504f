// SPDX-License-Identifier: Apache-2.0
// Every file of this folder is part of the language; files share no top-level key. Words of what is loaded late come with it
// (see ../machine.ts).
const files = import.meta.glob<Record<string, unknown>>(
    [
        './*.json',
        '!./machine.json',
        '!./cluster.json',
        '!./estate.json',
        '!./organise.json',
        '!./start.json',
        '!./admin.json',
        '!./channels.json',
    ],
    { eager: true, import: 'default' },
);

export default Object.assign({}, ...Object.values(files)) as Record<string, unknown>;
