// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// Where `npm run dev` finds the server: POLYVISOR_URL, or what deploy/run starts.
const server = process.env.POLYVISOR_URL ?? 'https://127.0.0.1:8443';
const toServer = { target: server, secure: false, changeOrigin: true };

export default defineConfig({
    plugins: [react()],
    resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
    build: {
        target: 'es2022',
        // Everything is a file of ours: data: addresses are not in the content security policy for scripts and fonts.
        assetsInlineLimit: 0,
        cssCodeSplit: true,
        modulePreload: { polyfill: false },
        chunkSizeWarningLimit: 700,
        manifest: true,
        rolldownOptions: {
            output: {
                // A few larger files compress better than many small ones; what is not in a group is split by route.
                codeSplitting: {
                    includeDependenciesRecursively: false,
                    groups: [
                        {
                            name: 'base',
                            test: /node_modules\/(react|react-dom|scheduler|react-router|cookie|i18next|react-i18next|@tanstack\/(react-query|query-core))\//,
                        },
                        {
                            name: 'grid',
                            test: /src\/grid\/(Grid|Head|Row|layout|sort|store|trends|window)\.|src\/filter\/|src\/list\/(ListPage|Facets|BulkBar|ListTools|Views)\./,
                        },
                    ],
                },
            },
        },
    },
    server: {
        proxy: { '/api': toServer, '/healthz': toServer, '/readyz': toServer },
    },
    test: {
        environment: 'jsdom',
        include: ['src/**/*.test.{ts,tsx}'],
        setupFiles: ['src/test-setup.ts'],
        css: false,
        server: { deps: { inline: [/@patternfly/] } },
    },
});
