// SPDX-License-Identifier: Apache-2.0
// Every address and the page behind it. Pages are loaded when they are visited: a page's module exports Component.
import type { RouteObject } from 'react-router';
import { Crash } from './pages/Crash';
import { Shell } from './shell/Shell';
import { SkeletonLines } from './states/states';

const waiting = <SkeletonLines lines={10} />;

export const routes: RouteObject[] = [
    {
        path: '/login',
        lazy: () => import('./pages/SignIn'),
        errorElement: <Crash />,
        hydrateFallbackElement: waiting,
    },
    {
        path: '/setup',
        lazy: () => import('./pages/Setup'),
        errorElement: <Crash />,
        hydrateFallbackElement: waiting,
    },
    {
        path: '/',
        element: <Shell />,
        errorElement: <Crash />,
        hydrateFallbackElement: waiting,
        children: [
            {
                errorElement: <Crash />,
                children: [
                    { path: 'vms', lazy: () => import('./pages/vms/VmList') },
                    { path: 'vms/compare', lazy: () => import('./pages/vms/Compare') },
                    { path: 'vms/:id/:tab?', lazy: () => import('./pages/vms/VmPage') },
                    { path: '*', lazy: () => import('./pages/NotFound') },
                ],
            },
        ],
    },
];
