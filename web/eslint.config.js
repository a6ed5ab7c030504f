// SPDX-License-Identifier: Apache-2.0
import jsxA11y from 'eslint-plugin-jsx-a11y';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
    { ignores: ['dist', 'node_modules', 'src/api/*.gen.*'] },
    ...tseslint.configs.recommended,
    jsxA11y.flatConfigs.recommended,
    {
        files: ['**/*.{ts,tsx}'],
        plugins: { 'react-hooks': reactHooks },
        rules: {
            'react-hooks/rules-of-hooks': 'error',
            'react-hooks/exhaustive-deps': 'error',
            '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
            'jsx-a11y/no-autofocus': 'off',
            // A region that scrolls must be reachable by keyboard (WCAG 2.1.1).
            'jsx-a11y/no-noninteractive-tabindex': [
                'error',
                { tags: [], roles: ['tabpanel', 'region', 'separator', 'figure'] },
            ],
            'no-restricted-globals': [
                'error',
                { name: 'fetch', message: 'Requests go through api/client.' },
                { name: 'confirm', message: 'Use a dialog.' },
                { name: 'alert', message: 'Use a notification.' },
            ],
            eqeqeq: ['error', 'smart'],
        },
    },
    {
        // A grid's focus is its own: roving tabindex over rows and cells.
        files: ['src/grid/**/*.tsx', 'src/shell/Tree.tsx'],
        rules: {
            'jsx-a11y/no-noninteractive-tabindex': 'off',
            'jsx-a11y/interactive-supports-focus': 'off',
            'jsx-a11y/click-events-have-key-events': 'off',
        },
    },
    { files: ['src/api/client.ts', 'src/live/engine.ts'], rules: { 'no-restricted-globals': 'off' } },
);
