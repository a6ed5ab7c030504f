// SPDX-License-Identifier: Apache-2.0
// Every file of this folder is part of the language; files share no top-level key.
const files = import.meta.glob<Record<string, unknown>>('./*.json', { eager: true, import: 'default' });

export default Object.assign({}, ...Object.values(files)) as Record<string, unknown>;
