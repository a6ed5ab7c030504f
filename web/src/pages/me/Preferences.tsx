// SPDX-License-Identifier: Apache-2.0
// How the page looks and which keys it takes; kept by this browser. On a phone this is the only place for it.
import { useEffect, useRef } from 'react';
import { Checkbox, Form, FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useSearchParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import { LANGUAGES, setLanguage } from '../../i18n';
import { useLook } from '../../lib/hooks';
import { look, type Look } from '../../lib/look';

const THEMES = ['system', 'light', 'dark'] as const;

export function Preferences() {
    const { t, i18n } = useTranslation();
    const { theme = 'system', contrast = 'system', singleKeys = true } = useLook();
    const [params] = useSearchParams();
    const asked = params.get('tab') === 'preferences';
    const box = useRef<HTMLElement>(null);
    useEffect(() => {
        if (!asked) return;
        box.current?.scrollIntoView({ block: 'start' });
        box.current?.querySelector('select')?.focus({ preventScroll: true });
    }, [asked]);
    return (
        <section ref={box} className="pv-card pv-pad" aria-labelledby="preferences-title">
            <h2 className="pv-h3" id="preferences-title">
                {t('shell.appearance')}
            </h2>
            <Form>
                <FormGroup label={t('me.language')} fieldId="look-language">
                    <FormSelect
                        id="look-language"
                        value={i18n.language}
                        onChange={(_, code) => {
                            look.set({ language: code });
                            void setLanguage(code);
                        }}
                    >
                        {LANGUAGES.map((l) => (
                            <FormSelectOption key={l.code} value={l.code} label={l.name} lang={l.code} />
                        ))}
                    </FormSelect>
                </FormGroup>
                <FormGroup label={t('shell.theme')} fieldId="look-theme">
                    <FormSelect
                        id="look-theme"
                        value={theme}
                        onChange={(_, v) => look.set({ theme: v as Look['theme'] })}
                    >
                        {THEMES.map((v) => (
                            <FormSelectOption key={v} value={v} label={t(`theme.${v}`)} />
                        ))}
                    </FormSelect>
                </FormGroup>
                <Checkbox
                    id="look-contrast"
                    label={t('theme.contrast')}
                    isChecked={contrast === 'high'}
                    onChange={(_, on) => look.set({ contrast: on ? 'high' : 'system' })}
                />
                <Checkbox
                    id="look-keys"
                    label={t('me.single_keys')}
                    description={t('me.single_keys_help')}
                    isChecked={singleKeys}
                    onChange={(_, on) => look.set({ singleKeys: on })}
                />
            </Form>
        </section>
    );
}
