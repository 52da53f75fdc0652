import HTTPKit
import HTTPTypes
import Hummingbird
import NIOCore

/// `GET /webhooks`: recent deliveries, their attempts and a button to resend, for a browser on this machine.
///
/// The page and its script are the same for everybody and hold no data. The person enters the operator token, which stays in the tab's
/// session; the script reads the same routes as `waybill webhook delivery`. Nothing that came from outside is ever taken for markup: the
/// script only sets text, and the page's policy lets no other script run.
enum ConsolePage {
    static func add(to router: Router<APIContext>) {
        router.get("/webhooks") { _, _ in response(page, "text/html; charset=utf-8") }
        router.get("/webhooks/console.js") { _, _ in response(script, "text/javascript; charset=utf-8") }
    }

    static let policy =
        "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'"

    private static func response(_ text: String, _ contentType: String) -> Response {
        var headers: HTTPFields = [.contentType: contentType, .cacheControl: "no-store"]
        headers[.contentSecurityPolicy] = policy
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private static let page = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>Webhooks</title>
        <style>
        :root { color-scheme: light dark; --line: #ddd; --row: #f3f6fa; --block: #f6f6f6; --quiet: #666; --good: #176f2c; --bad: #b3261e; }
        @media (prefers-color-scheme: dark) {
        :root { --line: #3a3a3a; --row: #26303a; --block: #242424; --quiet: #a0a0a0; --good: #6fcf88; --bad: #ff8a80; }
        }
        body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; }
        form { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
        th { text-align: left; font-weight: 600; color: var(--quiet); }
        th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
        td.long { white-space: normal; overflow-wrap: anywhere; min-width: 12rem; }
        .id { font: 12px/1.75 ui-monospace, monospace; }
        tbody tr[tabindex] { cursor: pointer; }
        tbody tr[tabindex]:hover, tbody tr[tabindex]:focus, tr.shown { background: var(--row); }
        .delivered, .succeeded { color: var(--good); }
        .exhausted, .parked, .failed { color: var(--bad); }
        pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--block); padding: .6rem; }
        #detail { border-left: 3px solid var(--line); padding-left: 1rem; }
        #message { color: var(--bad); min-height: 1.5em; }
        </style>
        <h1>Webhooks</h1>
        <form id="filters">
        <label>Operator token <input id="token" type="password" autocomplete="off" size="24"></label>
        <label>Endpoint <select id="endpoint"><option value="">all</option></select></label>
        <label>State <select id="state"><option value="">all</option><option>pending</option><option>sending</option>
        <option>waiting</option><option>delivered</option><option>exhausted</option><option>parked</option>
        <option>skipped</option><option>cancelled</option></select></label>
        <button>Show</button>
        </form>
        <p id="message" role="status"></p>
        <section id="detail" hidden>
        <h2 id="title"></h2>
        <p class="id" id="names"></p>
        <button id="resend">Resend</button>
        <div class="scroll"><table><thead><tr><th>No</th><th>Started</th><th>Why</th><th>State</th><th>Answer</th><th>Address</th>
        <th>Time</th><th>Detail</th></tr></thead><tbody id="attempts"></tbody></table></div>
        <pre id="body"></pre>
        </section>
        <div class="scroll"><table><thead><tr><th>Created</th><th>Type</th><th>Subject</th><th>Endpoint</th><th>State</th><th>Tries</th>
        <th>Last answer</th><th>Next try</th></tr></thead><tbody id="deliveries"></tbody></table></div>
        <button id="more" hidden>Older</button>
        <script src="/webhooks/console.js"></script>
        </html>

        """

    private static let script = """
        'use strict';
        const base = '/operator/webhooks';
        const at = id => document.getElementById(id);
        const time = text => text ? text.replace('T', ' ').replace('Z', '') : '';
        let cursor = null, shown = null, names = new Map();

        // Everything is set as text: what subscribers answered is never markup.
        function row(cells, state, act) {
          const line = document.createElement('tr');
          for (const [value, kind] of cells.map(cell => Array.isArray(cell) ? cell : [cell])) {
            const cell = document.createElement('td');
            cell.textContent = value ?? '';
            if (kind) cell.className = kind;
            if (state && value === state) cell.className = state;
            line.append(cell);
          }
          if (act) {
            line.tabIndex = 0;
            line.addEventListener('click', act);
            line.addEventListener('keydown', event => { if (event.key === 'Enter') act(); });
          }
          return line;
        }

        async function call(method, path) {
          const answer = await fetch(base + path, {
            method, headers: { authorization: 'Bearer ' + at('token').value }, credentials: 'omit', cache: 'no-store',
          });
          const value = await answer.json().catch(() => null);
          if (!answer.ok) throw new Error(value?.detail ?? value?.title ?? 'The answer was ' + answer.status + '.');
          return value;
        }

        async function guarded(act) {
          at('message').textContent = '';
          try { await act(); } catch (fault) { at('message').textContent = fault.message; }
        }

        async function endpoints() {
          const { items } = await call('GET', '/endpoints?limit=200');
          names = new Map(items.map(item => [item.id, item.uid ?? item.url]));
          const chosen = at('endpoint').value;
          at('endpoint').replaceChildren(new Option('all', ''), ...items.map(
            item => new Option((item.uid ?? item.url) + ' (' + item.state + ')', item.id, false, item.id === chosen)));
        }

        async function list(older) {
          const query = new URLSearchParams({ limit: '50' });
          if (at('endpoint').value) query.set('endpoint', at('endpoint').value);
          if (at('state').value) query.set('state', at('state').value);
          if (older) query.set('cursor', cursor);
          const page = await call('GET', '/deliveries?' + query);
          const lines = page.items.map(item => {
            const type = item.type.replace(/^waybill\\./, '').replace(/\\.v1$/, '');
            const line = row([time(item.createdAt), type, [item.subject, 'id'], names.get(item.endpointId) ?? '', item.state,
              item.attempts, item.lastStatus ?? item.lastCode, time(item.nextAttemptAt)], item.state, () => guarded(() => show(item.id)));
            line.id = item.id;
            return line;
          });
          if (older) at('deliveries').append(...lines); else at('deliveries').replaceChildren(...lines);
          if (!lines.length && !older) at('message').textContent = 'There are no such deliveries.';
          cursor = page.next;
          at('more').hidden = !cursor;
        }

        async function show(id) {
          const delivery = await call('GET', '/deliveries/' + encodeURIComponent(id));
          at(shown)?.classList.remove('shown');
          at(id)?.classList.add('shown');
          shown = id;
          at('title').textContent = delivery.type + ' · ' + delivery.state;
          at('names').textContent = 'delivery ' + id + ' · webhook-id ' + delivery.webhookId;
          at('attempts').replaceChildren(...delivery.attemptLog.map(attempt => row([attempt.number, time(attempt.startedAt),
            attempt.trigger, attempt.state, attempt.status ?? attempt.code, attempt.address,
            attempt.totalUs === null ? '' : Math.round(attempt.totalUs / 1000) + ' ms',
            [attempt.detail ?? attempt.responseBody, 'long']], attempt.state)));
          at('body').textContent = delivery.body;
          at('detail').hidden = false;
          at('detail').scrollIntoView();
        }

        async function resend() {
          await call('POST', '/deliveries/' + encodeURIComponent(shown) + '/resend');
          for (let round = 0; round < 40; round++) {
            await new Promise(done => setTimeout(done, 250));
            const { state } = await call('GET', '/deliveries/' + encodeURIComponent(shown));
            if (state !== 'sending' && state !== 'pending') break;
          }
          await show(shown);
          await list(false);
        }

        async function begin() {
          sessionStorage.setItem('token', at('token').value);
          await endpoints();
          await list(false);
        }

        at('filters').addEventListener('submit', event => { event.preventDefault(); guarded(begin); });
        at('more').addEventListener('click', () => guarded(() => list(true)));
        at('resend').addEventListener('click', () => guarded(resend));
        at('token').value = sessionStorage.getItem('token') ?? '';
        if (at('token').value) guarded(begin);

        """
}
