/* SPDX-License-Identifier: Apache-2.0 */
/* Runs before the first paint, so that nobody sees a white flash: the choice of theme, contrast and language. */
(function () {
    var root = document.documentElement;
    var choice = {};
    try {
        choice = JSON.parse(localStorage.getItem('polyvisor.look') || '{}');
    } catch {
        choice = {};
    }
    var dark =
        choice.theme === 'dark' ||
        (choice.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
    var contrast =
        choice.contrast === 'high' ||
        (choice.contrast !== 'normal' && matchMedia('(prefers-contrast: more)').matches);
    root.classList.toggle('pf-v6-theme-dark', dark);
    root.classList.toggle('pf-v6-theme-high-contrast', contrast);
    if (choice.language) root.lang = choice.language;
})();
