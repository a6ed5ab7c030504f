// SPDX-License-Identifier: Apache-2.0
// Writes .br and .gz beside every file of dist that gets smaller by it: the server sends them as they are and never
// compresses on the fly.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

function* files(folder) {
    for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        if (statSync(path).isDirectory()) {
            if (name !== '.vite') yield* files(path);
        } else {
            yield path;
        }
    }
}

for (const path of [...files(dist)]) {
    if (/\.(br|gz)$/.test(path)) {
        rmSync(path);
        continue;
    }
    if (!/\.(js|css|html|svg|json|txt)$/.test(path)) continue;
    const data = readFileSync(path);
    const br = brotliCompressSync(data, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length },
    });
    const gz = gzipSync(data, { level: 9 });
    if (br.length < data.length) writeFileSync(`${path}.br`, br);
    if (gz.length < data.length) writeFileSync(`${path}.gz`, gz);
}
