// SPDX-License-Identifier: Apache-2.0
// Few ever see it: it is loaded when something is gone.
import { lazy } from 'react';

export const GoneDialog = lazy(() => import('./GoneDialog'));
