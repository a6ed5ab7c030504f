// SPDX-License-Identifier: Apache-2.0
// The SharedWorker: one event stream for all tabs of a browser (HTTP/1.1 allows six connections, a stream per tab would
// take them all).
import { LiveEngine, type FromEngine, type ToEngine } from './engine';

const ports = new Set<MessagePort>();
const engine = new LiveEngine((message: FromEngine) => {
    for (const port of ports) port.postMessage(message);
});

(self as unknown as SharedWorkerGlobalScope).onconnect = (event: MessageEvent) => {
    const port = event.ports[0];
    if (!port) return;
    ports.add(port);
    port.onmessage = (m: MessageEvent<ToEngine | { type: 'bye' }>) => {
        if (m.data.type === 'bye') {
            ports.delete(port);
            if (!ports.size) engine.handle({ type: 'stop' });
        } else {
            engine.handle(m.data);
        }
    };
    port.postMessage(engine.tellState());
};
