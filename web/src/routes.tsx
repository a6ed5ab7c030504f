// SPDX-License-Identifier: Apache-2.0
// Every address and the page behind it. Pages are loaded when they are visited: a page's module exports Component.
import type { RouteObject } from 'react-router';
import { Crash } from './pages/Crash';
import { Shell } from './shell/Shell';

export const routes: RouteObject[] = [
    { path: '/login', lazy: () => import('./pages/SignIn'), errorElement: <Crash /> },
    { path: '/setup', lazy: () => import('./pages/Setup'), errorElement: <Crash /> },
    {
        path: '/',
        element: <Shell />,
        errorElement: <Crash />,
        children: [
            {
                errorElement: <Crash />,
                children: [
                    { path: 'vms', lazy: () => import('./pages/vms/VmList') },
                    { path: '*', lazy: () => import('./pages/NotFound') },
                ],
            },
        ],
    },
];
