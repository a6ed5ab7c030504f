// SPDX-License-Identifier: Apache-2.0
// What a client calls itself, short: browsers say a long line of which two words matter.
const BROWSERS: [RegExp, string][] = [
    [/\bEdg\/(\d+)/, 'Edge'],
    [/\bOPR\/(\d+)/, 'Opera'],
    [/\bFirefox\/(\d+)/, 'Firefox'],
    [/\b(?:Headless)?Chrome\/(\d+)/, 'Chrome'],
    [/\bVersion\/(\d+).*\bSafari\//, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
    [/Windows/, 'Windows'],
    [/iPhone|iPad/, 'iOS'],
    [/Macintosh/, 'macOS'],
    [/Android/, 'Android'],
    [/CrOS/, 'ChromeOS'],
    [/Linux/, 'Linux'],
];
const MOST = 80;

export function agentText(agent: string): string {
    for (const [browser, name] of BROWSERS) {
        const version = browser.exec(agent)?.[1];
        const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1];
        if (version) return [`${name} ${version}`, system].filter(Boolean).join(', ');
    }
    return agent.slice(0, MOST);
}
