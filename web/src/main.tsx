// SPDX-License-Identifier: Apache-2.0
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { QueryClientProvider } from '@tanstack/react-query';
import { createBrowserRouter, RouterProvider } from 'react-router';
import './styles/index.css';
import { queryClient } from './api/query';
import { startI18n } from './i18n';
import { carrying } from './lib/address';
import { look } from './lib/look';
import { routes } from './routes';

look.follow();
await startI18n();
createRoot(document.getElementById('root')!).render(
    <StrictMode>
        <QueryClientProvider client={queryClient}>
            <RouterProvider router={carrying(createBrowserRouter(routes))} />
        </QueryClientProvider>
    </StrictMode>,
);
