// SPDX-License-Identifier: Apache-2.0
// Every page and the dialogs in Russian and Chinese: no English is left over, nothing scrolls sideways, wide and narrow; each leaves
// a picture. English is two words of the English catalogue side by side, in what is shown or read out, that are neither data
// (names of things, a hypervisor's own messages), nor names of products, nor marked as English or as code.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stage } from './harness.mjs';
import { everyObject, everyPage, objectOf, OBJECTS, REFUSED } from './places.mjs';

const { server, browser } = stage();

const i18n = fileURLToPath(new URL('../../web/src/i18n/', import.meta.url));
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));

function* texts(value) {
    if (typeof value === 'string') yield value;
    else for (const one of Object.values(value)) yield* texts(one);
}

/** Names that stay as they are in every language. */
const NAMES = [
    /Microsoft|Windows|Hyper-V|PowerShell|Server|Remote Management Users|Administrators|Active Directory|Kerberos|NTLM|Negotiate|Basic/g,
    /Virtual machine power user|Allocate space|Assign network|Assign virtual machine to resource pool/g,
    /VMware|vSphere|vCenter|ESXi|Tools|vMotion|Client|DRS|VAAI|ODX|UNMAP|ATS|TRIM|full copy|block zero|Read-only|Virtual machine power user/g,
    /pvscsi|lsilogic_sas|lsilogic|buslogic|none, virtual, physical|CBT|RCT/g,
    /Polyvisor|Ansible|Zabbix|Nagios|Prometheus|Open VM|Trusted Platform|API explorer/g,
    /\b(?:GHz|MHz|GiB|MiB|KiB|TiB|CPU|RAM|API|TLS|TPM|UEFI|BIOS|VLAN|MAC|SHA|UUID|NUMA|SCSI|IDE|SATA|NVMe|VNC|RDP|CSV|JSON|NDJSON|ID|IP|MTU|OVF|VHDX?|VMDK|PEM|CLI|curl|ISO|Secure Boot)\b/g,
];

/** Words of the English catalogue: what pages, server and drivers say. */
const english = new Set(
    [
        ...readdirSync(`${i18n}en`)
            .filter((f) => f.endsWith('.json'))
            .map((f) => read(`${i18n}en/${f}`)),
        read(`${i18n}server/en.json`),
        Object.keys(read(`${i18n}docs/ru.json`)),
        read(fileURLToPath(new URL('../../web/src/api/texts.gen.json', import.meta.url))),
    ]
        .flatMap((all) => [...texts(all)])
        .flatMap((text) => text.toLowerCase().match(/[a-z][a-z'-]+/g) ?? []),
);

/** What is shown and what is read out, piece by piece. */
const shown = (page) =>
    page.evaluate(() => {
        const found = new Set();
        const SKIP = 'code, pre, kbd, script, style, .pv-mono, [lang=en]';
        const visible = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const e = node.parentElement;
            if (e && !e.closest(SKIP) && (visible(e) || e.matches('option'))) found.add(node.data.trim());
        }
        for (const e of document.querySelectorAll('[title], [aria-label], [placeholder], [alt]'))
            if (!e.closest(SKIP) && visible(e))
                for (const name of ['title', 'aria-label', 'placeholder', 'alt'])
                    if (e.hasAttribute(name)) found.add(e.getAttribute(name).trim());
        return [...found].filter((text) => /[A-Za-z]/.test(text));
    });

/** Two or more words of the catalogue side by side. */
function remnants(pieces, data) {
    const wrong = [];
    for (const piece of pieces) {
        let text = piece;
        // Names of several words hold names of products, and these hold names of one word.
        const without = (names) => {
            for (const own of names) if (text.includes(own)) text = text.replaceAll(own, ' · ');
        };
        without(data.filter((own) => own.includes(' ')));
        for (const name of NAMES) text = text.replace(name, ' · ');
        without(data);
        for (const run of text.match(/[A-Za-z][A-Za-z'’-]*(?:[ ,;]+[A-Za-z][A-Za-z'’-]*)+/g) ?? []) {
            const known = run
                .toLowerCase()
                .match(/[a-z][a-z'-]+/g)
                .filter((w) => english.has(w));
            if (known.length > 1) wrong.push(`"${run}" in "${piece.slice(0, 120)}"`);
        }
    }
    return wrong;
}

/** Names of things and hypervisors' own words: what the API lists, without what our server says in sentences. */
async function dataOf(view) {
    const found = new Set(['correct-horse', 'admin']);
    const OURS = /^(reason|detail|remedy|title|message|text|error|state_reason|notes|description|doc)$/;
    const collect = (value, key = '') => {
        if (typeof value === 'string') {
            if (/[A-Za-z]{2}/.test(value) && !OURS.test(key)) found.add(value);
        } else if (value && typeof value === 'object')
            for (const [k, v] of Object.entries(value)) collect(v, Array.isArray(value) ? key : k);
    };
    for (const path of [
        '/vms?limit=1000&view=full',
        '/hosts?limit=1000&view=full',
        '/clusters?limit=200&view=full',
        '/cluster-rules?limit=1000&view=full',
        '/datastores?limit=1000&view=full',
        '/networks?limit=1000&view=full',
        '/switches?limit=1000&view=full',
        '/host-adapters?limit=1000&view=full',
        '/host-services?limit=1000&view=full',
        '/disk-images?limit=1000&view=full',
        '/datacenters?view=full',
        '/resource-pools?view=full',
        '/providers?view=full',
        '/users?view=full',
    ])
        collect((await view.api('GET', path)).items);
    for (const s of (await view.api('GET', '/snapshots?limit=1000&fields=name,description')).items)
        for (const value of [s.name, s.description]) if (value) found.add(value);
    for (const rule of (await view.api('GET', '/alert-rules?view=full')).items)
        if (rule.filter) found.add(rule.filter);
    for (const notes of (await view.api('GET', '/vms?limit=1000&fields=annotation,notes')).items)
        for (const value of [notes.annotation, notes.notes]) if (value) found.add(value);
    return [...found].filter((text) => text.length > 2).sort((a, b) => b.length - a.length);
}

/** What hypervisors wrote into their own logs is told as they wrote it; it goes on while we look. */
async function theirs(view) {
    const { items } = await view.api('GET', '/events?limit=1000&view=full');
    return items.filter((e) => e.message && e.type.startsWith('external.')).map((e) => e.message);
}

/** Dialogs of actions by their address. */
const DIALOGS = [
    'vm.stop',
    'vm.delete',
    'vm.rename',
    'vm.clone',
    'vm.move',
    'vm.export',
    'vm.reconfigure',
    'vm.shutdown',
    'vm.snapshot.create',
    'vm.disk.attach',
    'vm.nic.attach',
    'vm.cdrom.attach',
    'vm.controller.attach',
    'vm.guest.set_data',
];

/** Pages whose pictures are taken in the dark theme, too. */
const DARK = [
    'overview',
    'vms-none',
    'vms-filter-error',
    'vm-vmware',
    'host',
    'task',
    'alerts',
    'do-vm-hyperv-vm.delete',
];

for (const language of ['ru', 'zh-CN'])
    test(`no page is English in ${language}`, async () => {
        const view = await browser.open(server, { look: { language } });
        // A filter that cannot be read is one of the pages, and dialogs rehearse what cannot be done now.
        view.expected.push(REFUSED, /metrics\/series/, /status of (409|422) .*dry_run=true/);
        const data = await dataOf(view);
        const visit = async (name) => {
            const wrong = [];
            for (const width of [1600, 420]) {
                await view.page.setViewportSize({ width, height: 1000 });
                await view.settle();
                await view.screenshot(`lang-${language}-${width}-${name}`);
                const pieces = await shown(view.page);
                if (remnants(pieces, data).length) data.unshift(...(await theirs(view)));
                wrong.push(...remnants(pieces, data));
                await view.fits(`${name} at ${width} px`);
                if (width > 420) await view.wholeHeads(name);
            }
            if (DARK.includes(name)) await view.darkly(`lang-${language}-${name}`);
            await view.wholeWords(name);
            assert.deepEqual(wrong, []);
        };
        const wrong = [...(await everyPage(view, visit)), ...(await everyObject(view, visit))];
        for (const kind of OBJECTS.slice(0, 2)) {
            const path = await objectOf(view, kind);
            for (const name of DIALOGS) {
                await view.go(
                    `${path}?do=${name}&on=${path.slice(path.lastIndexOf('/') + 1)}`,
                    '[role=dialog] button',
                );
                await view.settle();
                await visit(`do-${kind[0]}-${name}`).catch((error) =>
                    wrong.push(`${name}: ${error.message}`),
                );
            }
        }
        assert.ok(!wrong.length, `\n${[...new Set(wrong)].join('\n')}`);
        await view.close();
    });
