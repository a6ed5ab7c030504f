// SPDX-License-Identifier: Apache-2.0
// What becomes an entry of the history, and where one comes back to.
import { act, render, screen } from '@testing-library/react';
import { createMemoryRouter, RouterProvider, useParams } from 'react-router';
import { describe, expect, test } from 'vitest';
import { carrying, isBare, useAddress, useDialog, useGo, useOpened, type ChangeAddress } from './address';

function open(at = '/vms') {
    const seen: { change?: ChangeAddress; go?: (to: string, replace?: boolean) => void } = {};
    const shown: Record<string, [boolean, (on: boolean) => void]> = {};
    const Page = () => {
        useParams();
        [, seen.change] = useAddress();
        seen.go = useGo();
        shown.columns = useDialog('columns');
        shown.help = useDialog('help');
        shown.edit = useOpened('edit', 'usr_1');
        shown.tray = useOpened('tray');
        return null;
    };
    const router = carrying(createMemoryRouter([{ path: '*', element: <Page /> }], { initialEntries: [at] }));
    render(<RouterProvider router={router} />);
    const here = () => router.state.location.pathname + router.state.location.search;
    const run = (what: () => unknown) =>
        act(async () => {
            what();
            await new Promise((done) => setTimeout(done));
        });
    const filter = (value: string, how?: Parameters<ChangeAddress>[1]) =>
        run(() => seen.change!((next) => (value ? next.set('filter', value) : next.delete('filter')), how));
    const back = (by = -1) => run(() => router.navigate(by));
    return {
        router,
        here,
        run,
        filter,
        back,
        shown,
        go: (to: string, r?: boolean) => run(() => seen.go!(to, r)),
    };
}

describe('the address', () => {
    test('each filter that was meant is one entry, however it was typed', async () => {
        const { here, filter, back } = open();
        await filter('w', 'draft:filter');
        await filter('we', 'draft:filter');
        await filter('web', 'done:filter');
        await filter('web p', 'draft:filter');
        await filter('web power:on', 'draft:filter');
        expect(here()).toBe('/vms?filter=web+power%3Aon');
        await back();
        expect(here()).toBe('/vms?filter=web');
        await back();
        expect(here()).toBe('/vms');
        await back(1);
        expect(here()).toBe('/vms?filter=web');
    });

    test('what is meant without another letter ends the draft', async () => {
        const { here, filter, back } = open();
        await filter('web', 'draft:filter');
        await filter('web', 'done:filter');
        await filter('webs', 'draft:filter');
        await back();
        expect(here()).toBe('/vms?filter=web');
    });

    test('a filter that is put at once is an entry, after a draft as well', async () => {
        const { here, filter, back } = open();
        await filter('a b', 'draft:filter');
        await filter('a');
        await back();
        expect(here()).toBe('/vms?filter=a+b');
    });

    test('closing goes back to where it was opened, and forward opens it again', async () => {
        const { router, here, run, shown, back } = open('/vms?filter=web%20x');
        await run(() => shown.columns![1](true));
        expect(shown.columns![0]).toBe(true);
        expect(here()).toBe('/vms?filter=web+x&dialog=columns');
        await run(() => shown.columns![1](false));
        expect(here()).toBe('/vms?filter=web%20x');
        expect(router.state.historyAction).toBe('POP');
        await back(1);
        expect(shown.columns![0]).toBe(true);
    });

    test('closing twice is closing once', async () => {
        const { here, run, shown, go } = open('/');
        await go('/vms');
        await run(() => shown.columns![1](true));
        await run(() => {
            shown.columns![1](false);
            shown.columns![1](false);
        });
        expect(here()).toBe('/vms');
    });

    test('what was changed under a dialog stays when it is closed, and is one entry', async () => {
        const { here, run, filter, shown, back } = open();
        await run(() => shown.columns![1](true));
        await filter('web', 'replace');
        await run(() => shown.columns![1](false));
        expect(here()).toBe('/vms?filter=web');
        await back();
        expect(here()).toBe('/vms');
    });

    test('a dialog that the first address names is closed in place', async () => {
        const { router, here, run, shown } = open('/vms?dialog=columns');
        await run(() => shown.columns![1](false));
        expect(here()).toBe('/vms');
        expect(router.state.historyAction).toBe('REPLACE');
    });

    test('two that stand on each other are left in one step', async () => {
        const { here, run, shown, back } = open('/access/users');
        await run(() => shown.edit![1](true));
        await run(() => shown.help![1](true));
        expect(here()).toBe('/access/users?edit=usr_1&dialog=help');
        await back();
        expect(here()).toBe('/access/users?edit=usr_1');
        await back(1);
        await run(() => {
            shown.help![1](false);
            shown.edit![1](false);
        });
        expect(here()).toBe('/access/users');
        await back(1);
        expect(here()).toBe('/access/users?edit=usr_1');
    });

    test('what is opened while another one is being closed comes after it', async () => {
        const { here, run, shown, back } = open();
        await run(() => shown.help![1](true));
        await run(() => {
            shown.help![1](false);
            shown.columns![1](true);
        });
        expect(here()).toBe('/vms?dialog=columns');
        await back();
        expect(here()).toBe('/vms');
    });

    test('a link waits for the step back, too', async () => {
        const { router, here, run, shown, back } = open();
        await run(() => shown.help![1](true));
        await run(() => {
            shown.help![1](false);
            void router.navigate('/hosts');
        });
        expect(here()).toBe('/hosts');
        await back();
        expect(here()).toBe('/vms');
    });

    test('a dialog that was opened by a link is left to where the link stood', async () => {
        const { router, here, run, shown, go } = open('/access/users?sort=name');
        await go('/access/users?sort=name&edit=usr_1');
        await run(() => shown.edit![1](false));
        expect(here()).toBe('/access/users?sort=name');
        expect(router.state.historyAction).toBe('POP');
    });

    test('what is asked for a page that was left changes no other page', async () => {
        const { router, here, run, shown } = open();
        const late = shown.columns![1];
        await run(() => router.navigate('/hosts'));
        await run(() => late(false));
        expect(here()).toBe('/hosts');
    });

    test('the tray goes along to the next page, and not to the way back', async () => {
        const { router, here, run, shown, back } = open();
        await run(() => shown.tray![1](true));
        await run(() => router.navigate('/hosts?filter=a'));
        expect(here()).toBe('/hosts?filter=a&tray=1');
        await run(() => shown.tray![1](false));
        expect(here()).toBe('/hosts?filter=a');
        await back(-2);
        expect(here()).toBe('/vms');
        await run(() => shown.tray![1](true));
        await run(() => router.navigate('/login?next=%2Fvms'));
        expect(here()).toBe('/login?next=%2Fvms');
    });

    test('the same address again is no entry', async () => {
        const { router, run, shown, filter } = open('/vms?filter=web');
        const { key } = router.state.location;
        await filter('web');
        await run(() => shown.help![1](false));
        expect(router.state.location.key).toBe(key);
    });

    test('a box that stands for the address is ticked at once', () => {
        const Page = () => {
            const [on, show] = useOpened('pick');
            return <input type="checkbox" aria-label="pick" checked={on} onChange={() => show(!on)} />;
        };
        const router = createMemoryRouter([{ path: '*', element: <Page /> }], { initialEntries: ['/vms'] });
        render(<RouterProvider router={carrying(router)} />);
        const box = screen.getByRole<HTMLInputElement>('checkbox');
        // Without act(): nothing is waited for that a browser would not wait for.
        box.click();
        expect(box.checked).toBe(true);
    });

    test('an address with nothing but the frame asks for nothing', () => {
        expect(isBare('?tray=1&nav=tree&tree=prv_1')).toBe(true);
        expect(isBare('')).toBe(true);
        expect(isBare('?tray=1&filter=a')).toBe(false);
    });
});
