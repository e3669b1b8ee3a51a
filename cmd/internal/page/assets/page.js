// The page is whole without this. It adds dialogs, copying, selection, times of this browser, and what
// changes by itself: parts of the page that the server renders and sends over one event stream.
const start = () => {
  'use strict';
  const $ = (q, root = document) => root.querySelector(q);
  const $$ = (q, root = document) => [...root.querySelectorAll(q)];
  const say = text => { const s = $('#say'); if (s) s.textContent = text; };
  // Times: the server's clock corrects this one, and this browser's zone is shown.
  let ahead = Date.now() - Date.parse(document.body.dataset.now || new Date().toISOString());
  const now = () => Date.now() - ahead;
  let exactly = $('button[name=exact]')?.getAttribute('aria-pressed') === 'true';
  const two = n => String(n).padStart(2, '0');
  const clock = (t, ms) => `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}${ms ? '.' + String(t.getMilliseconds()).padStart(3, '0') : ''}`;
  const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
  const day = t => `${t.getDate()} ${months[t.getMonth()]}`;
  const full = t => (t.getFullYear() === new Date(now()).getFullYear() ? day(t) : `${day(t)} ${t.getFullYear()}`) + ', ' + clock(t);
  const age = ms => {
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 36000 && s % 3600 >= 60) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
    if (s < 172800) return `${Math.floor(s / 3600)} h`;
    return `${Math.floor(s / 86400)} d`;
  };
  // set writes what is other than before: all that is written is laid out again.
  const set = (el, name, text) => { if (el[name] !== text) el[name] = text; };
  const times = (root = document) => {
    for (const el of $$('time[datetime]', root)) {
      const t = new Date(el.dateTime), form = el.dataset.form;
      if (isNaN(t)) continue;
      if (form === 'left') { set(el, 'textContent', String(Math.max(0, Math.ceil((t - now()) / 1000)))); continue; }
      if (el.title) set(el, 'title', full(t));
      if (!form) {
        const m = /^(\d+ [A-Z][a-z]{2} )?\d\d:\d\d:\d\d(\.\d+)?$/.exec(el.textContent.trim());
        if (m) set(el, 'textContent', (new Date(now()).toDateString() === t.toDateString() ? '' : day(t) + ' ') + clock(t, m[2]));
        continue;
      }
      set(el, 'textContent', exactly ? full(t) : age(now() - t) + (form === 'ago' ? ' ago' : ''));
    }
    for (const el of $$('progress[data-until]', root)) el.value = Math.max(0, (Date.parse(el.dataset.until) - now()) / 1000);
  };
  const zone = () => {
    const m = -new Date().getTimezoneOffset(), h = Math.abs(m) / 60 | 0, rest = Math.abs(m) % 60;
    return m === 0 ? 'UTC' : `UTC${m < 0 ? '-' : '+'}${h}${rest ? ':' + two(rest) : ''}`;
  };
  if ($('#zone')) $('#zone').textContent = `Times are those of this browser, ${zone()}`;
  times();
  setInterval(times, 1000);

  // Dialogs: a link or a button that asks leads to a page with a form, which is shown here above this one.
  const dialog = document.createElement('dialog');
  let opener = null;
  document.body.append(dialog);
  try { // a switch at the end of the page, which was loaded anew
    const name = sessionStorage.getItem('focus');
    sessionStorage.removeItem('focus');
    if (name) $(`.foot button[name="${name}"]`)?.focus();
  } catch { /* nothing is kept in this browser */ }
  const shut = () => { dialog.close(); };
  dialog.addEventListener('close', () => { dialog.replaceChildren(); opener?.focus(); opener = null; later(); });
  const fill = html => {
    const doc = new DOMParser().parseFromString(html, 'text/html');
    const got = $('#dialog', doc);
    if (!got) return false;
    const h = $('h1', got), h2 = document.createElement('h2');
    h2.id = h.id;
    h2.textContent = h.textContent;
    h.replaceWith(h2);
    dialog.replaceChildren(...got.children);
    dialog.setAttribute('aria-labelledby', h2.id);
    check();
    return true;
  };
  const ask = async (url, from) => {
    try {
      const r = await fetch(url, { credentials: 'same-origin', headers: { Accept: 'text/html' } });
      if (!fill(await r.text())) { location.href = url; return; }
      opener = from;
      dialog.showModal();
      $('[data-close]', dialog)?.focus();
    } catch { location.href = url; }
  };
  // refuse says in the dialog why it was not done.
  const refuse = text => {
    const box = document.createElement('div'), p = document.createElement('p');
    box.className = 'alarm';
    box.setAttribute('role', 'alert');
    p.textContent = text;
    box.append(p);
    $('[role=alert]', dialog)?.remove();
    $('h2', dialog)?.after(box);
  };
  const check = () => {
    const must = $('[data-must]', dialog), red = $('button.danger', dialog);
    if (must && red) red.disabled = must.value.replace(/[^0-9]/g, '') !== must.dataset.must;
  };
  // write shows a command, which breaks at its spaces alone.
  const write = (code, text) => {
    code.replaceChildren(...text.split(' ').flatMap((word, i) => {
      const w = document.createElement('span');
      w.className = 'w';
      w.textContent = word;
      return i ? [' ', w] : [w];
    }));
    return code;
  };
  // same writes the command with what is chosen in its form.
  const same = form => {
    const code = form && $('[data-same]', form);
    if (!code) return;
    const words = [code.dataset.same];
    for (const i of $$('[data-flag]', form)) {
      const text = i.value.trim(), standard = i.dataset.standard;
      if (i.type === 'checkbox') words.push(...i.checked ? [i.dataset.flag] : []);
      else if (text && !(standard && Number(text) === Number(standard))) words.push(i.dataset.flag, text);
    }
    write(code, words.join(' '));
  };
  document.addEventListener('input', e => {
    if (e.target.dataset.must) check();
    if (e.target.dataset.flag) same(e.target.form);
  });
  document.addEventListener('submit', async e => {
    const form = e.target, by = e.submitter;
    for (const i of $$('input[type=datetime-local]', form)) { // typed as this browser shows times
      $(`input[name="${i.name}_zone"]`, form)?.remove();
      if (!i.value) continue;
      const zone = document.createElement('input');
      zone.type = 'hidden';
      zone.name = i.name + '_zone';
      zone.value = -new Date(i.value).getTimezoneOffset();
      form.append(zone);
    }
    if (by && 'dialog' in by.dataset) { // a selection
      e.preventDefault();
      const q = new URLSearchParams(new FormData(form));
      if (![...q.keys()].includes('id')) { say('Nothing is selected'); return; }
      ask((by.getAttribute('formaction') || form.getAttribute('action')) + '?' + q, by);
      return;
    }
    if (by?.name === 'exact') {
      e.preventDefault();
      exactly = by.value === '1';
      by.setAttribute('aria-pressed', exactly);
      const body = new URLSearchParams(new FormData(form, by));
      by.value = exactly ? '0' : '1';
      times();
      fetch(form.action, { method: 'POST', body, redirect: 'manual' }).catch(() => {});
      return;
    }
    if (by?.name === 'hide') { try { sessionStorage.setItem('focus', 'hide'); } catch { /* as above */ } }
    if (!dialog.contains(form)) return;
    e.preventDefault();
    for (const b of $$('button', form)) b.disabled = true;
    try {
      const r = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)), credentials: 'same-origin', headers: { 'Waoutbox-Page-Script': '1' } });
      const go = r.headers.get('Waoutbox-Page-Go');
      if (go) {
        if (go === location.pathname + location.search) location.reload();
        else location.href = go;
        return;
      }
      if (!fill(await r.text())) location.reload();
      $('[role=alert]', dialog)?.focus();
    } catch {
      for (const b of $$('button', form)) b.disabled = false;
      refuse('Not known whether it was done: no connection to waoutbox. It may run no longer.');
    }
  });

  document.addEventListener('click', e => {
    const asks = e.target.closest('a[data-dialog]');
    if (asks && !e.ctrlKey && !e.metaKey && !e.shiftKey && e.button === 0) { e.preventDefault(); ask(asks.href, asks); return; }
    if (e.target.closest('dialog [data-close]')) { e.preventDefault(); shut(); return; }
    const b = e.target.closest('button');
    if (!b) return;
    if (b.dataset.copy) {
      Promise.resolve(navigator.clipboard?.writeText($('#' + b.dataset.copy).textContent)).then(() => {
        const old = b.textContent;
        b.textContent = 'Copied';
        say('Copied');
        setTimeout(() => { b.textContent = old; }, 1500);
      }, () => say('Copying was refused by the browser: select the text'));
    }
    if ('selectPage' in b.dataset) { for (const t of ticks) t.checked = true; count(); }
    if ('pause' in b.dataset) pause(b);
    if ('unseen' in b.dataset) showUnseen();
  });

  // Selection: the bar names how many.
  const ticks = $$('tbody .tick input'), all = $('thead .tick input');
  const count = () => {
    const n = ticks.filter(t => t.checked).length;
    for (const p of $$('[data-picked]')) p.textContent = n || p.dataset.picked || 0;
    for (const t of ticks) t.closest('tr').classList.toggle('picked', t.checked);
    for (const b of $$('.bar .actions button')) b.disabled = n === 0;
    if (all) { all.checked = n === ticks.length; all.indeterminate = n > 0 && n < ticks.length; }
  };
  if (ticks.length) {
    document.addEventListener('change', e => {
      if (e.target === all) for (const t of ticks) t.checked = all.checked;
      if (e.target === all || ticks.includes(e.target)) count();
    });
    count();
  }

  // Parts: what somebody reads, points at or has open is replaced later.
  const waiting = new Map();
  const make = html => { const t = document.createElement('template'); t.innerHTML = html; return t.content.firstElementChild; };
  const typed = el => $$('input:not([type=hidden], [type=checkbox], [type=radio])', el).some(i => i === document.activeElement || i.value !== i.defaultValue);
  const busy = el => el.contains(document.activeElement) && document.activeElement !== document.body
    || $('details[open]', el) || el.matches('details[open]') || $('table:hover', el) || dialog.open || typed(el);
  const put = (id, html) => {
    const el = document.getElementById(id);
    if (!el) return;
    const next = make(html);
    if (!next) return;
    times(next);
    const urgent = 'urgent' in el.dataset && !dialog.open && !typed(el), held = document.activeElement;
    if (busy(el) && !urgent) {
      waiting.set(id, html);
      for (const piece of $$('[data-piece]', next)) { // counts go on beside a button that has the focus
        const old = document.getElementById(piece.id);
        if (old && !old.contains(held)) old.replaceWith(piece);
      }
      return;
    }
    waiting.delete(id);
    const focused = el.contains(held) && held !== document.body;
    el.replaceWith(next);
    if (focused) ($$('button, a', next).find(b => b.offsetParent && b.textContent === held.textContent) || $('#main')).focus({ preventScroll: true });
  };
  const later = () => { for (const [id, html] of [...waiting]) put(id, html); };
  setInterval(later, 1000);

  // Live events: while the list is paused, has the focus or is scrolled away, new ones are counted.
  const log = $('[data-log]'), list = $('#stream');
  let paused = false, unseen = [];
  const showUnseen = () => {
    for (const li of unseen) list.prepend(li);
    unseen = [];
    $('[data-unseen]').hidden = true;
    while (list.children.length > 200) list.lastElementChild.remove();
    times(list);
  };
  const pause = b => {
    paused = !paused;
    b.setAttribute('aria-pressed', paused);
    b.textContent = paused ? 'Go on' : 'Pause the list';
    if (!paused) showUnseen();
  };
  const line = html => {
    const li = make(html);
    if (!li || li.id && document.getElementById(li.id)) return;
    $('[data-none]')?.remove();
    li.classList.add('fresh');
    if (paused || log.matches(':focus-within') || log.getBoundingClientRect().top < -200) {
      unseen.push(li);
      if (unseen.length > 200) unseen.shift();
      const u = $('[data-unseen]');
      u.hidden = false;
      u.textContent = `Show ${unseen.length} new event${unseen.length === 1 ? '' : 's'}`;
      return;
    }
    list.prepend(li);
    times(li);
    while (list.children.length > 200) list.lastElementChild.remove();
  };
  if (log) $('[data-announce]')?.addEventListener('change', e => log.setAttribute('aria-live', e.target.checked ? 'polite' : 'off'));

  // The tab: how many alarms there are, and whether this is known.
  const tab = (title, icon) => { document.title = title; const i = $('#icon'); if (icon && i.getAttribute('href') !== icon) i.setAttribute('href', icon); };

  const unknown = () => { tab('No connection · waoutbox', '/page/assets/icon-alarm.svg'); };

  // What was shown once, or is old, is not shown again by the back button.
  window.addEventListener('pageshow', e => { if (e.persisted) location.reload(); });

  // The stream.
  const stream = document.body.dataset.stream;
  if (!stream || !window.EventSource) return;
  const url = () => { // what the list has already is not sent again
    const u = new URL(stream, location.href), newest = unseen.at(-1) || $('li[id^="ev-"]', list || document);
    if (list && newest) u.searchParams.set('after', newest.id.slice(3));
    return u;
  };
  let source = null, heard = Date.now(), lost = 0, tries = 0, retry = 0;
  const command = text => write(document.createElement('code'), text);
  const strip = () => {
    const at = $('#stream-state');
    if (!lost || Date.now() - lost < 3000) { if (at.firstChild && !lost) at.replaceChildren(); return; }
    const p = document.createElement('p'), b = document.createElement('span');
    p.className = 'stale';
    b.className = 'state warn';
    b.textContent = `No connection to waoutbox for ${age(Date.now() - lost)}.`;
    p.append(b, ` What you see is from ${clock(new Date(heard))} and may be old. It is tried again. Does it run? `, command('waoutbox status'), ' If it was started again: ', command('waoutbox open'));
    at.setAttribute('aria-live', at.firstChild ? 'off' : 'polite');
    at.replaceChildren(p);
    document.body.classList.add('lost');
    unknown();
    const state = $('#now .state.ok');
    if (state) { state.textContent = `Connected at ${clock(new Date(heard)).slice(0, 5)}`; state.className = 'state off'; }
  };
  const close = () => { source?.close(); source = null; clearTimeout(retry); };
  const fail = () => {
    close();
    lost ||= Date.now();
    retry = setTimeout(open, [1000, 2000, 5000][Math.min(tries++, 2)]);
  };
  const open = () => {
    close();
    source = new EventSource(url());
    source.onerror = fail;
    const on = (name, do_) => source.addEventListener(name, e => { heard = Date.now(); do_(JSON.parse(e.data)); });
    on('beat', m => {
      ahead = Date.now() - Date.parse(m.text);
      tries = 0;
      if (lost && Date.now() - lost > 3000) { location.reload(); return; } // what was missed is on the page made anew
      lost = 0;
      strip();
    });
    on('title', m => { tab(m.text, m.icon); });
    on('ended', () => { close(); location.reload(); }); // to the page that says how to go on
    on('anew', () => { close(); location.reload(); });
    on('part', m => {
      const held = unseen.findIndex(li => li.id === m.id);
      if (held >= 0) unseen[held] = make(m.html);
      else put(m.id, m.html);
    });
    on('line', m => line(m.html));
    on('more', m => { const li = document.createElement('li'); li.className = 'muted more'; li.textContent = m.text; list?.prepend(li); });
    on('say', m => say(m.text));
    on('trouble', m => say(m.text));
  };
  setInterval(() => {
    if (source && Date.now() - heard > 15000) fail(); // the other end is gone without a word
    strip();
  }, 1000);
  // A tab that nobody looks at has no stream, and asks for its alarms alone. When it comes back it
  // is as a page made now, unless somebody is at work on it.
  const glance = async () => {
    try {
      const g = await (await fetch('/page/glance', { credentials: 'same-origin' })).json();
      if (document.hidden) tab([g.alarms, document.body.dataset.title, 'waoutbox'].filter(Boolean).join(' · '), g.icon);
    } catch { if (document.hidden) unknown(); }
  };
  const atWork = () => dialog.open || paused || unseen.length || typed(document) || $('details[open]:not(.fold)') || ticks.some(t => t.checked);
  let since = 0, looks = 0;
  document.addEventListener('visibilitychange', () => {
    clearInterval(looks);
    if (document.hidden) {
      close();
      since = Date.now();
      looks = setInterval(glance, 20000);
      return;
    }
    if (since && Date.now() - since > 60000 && !atWork()) { location.reload(); return; }
    if (!source) { heard = Date.now(); open(); }
  });
  window.addEventListener('pagehide', close);
  // A form leads to another page: what the stream says of what it did, as that the session has
  // ended, is no reason to load this one anew.
  document.addEventListener('submit', e => { if (!e.defaultPrevented) close(); });
  if (!document.hidden) open();
};

// What is on the page is painted first, as it stays: with the buttons that need this script, and
// with its filter, which folds on a phone unless it is in use.
document.documentElement.classList.add('has-script');
if (matchMedia('(min-width: 961px)').matches) for (const d of document.querySelectorAll('details.fold')) d.open = true;
if (document.hidden) start(); // nothing is painted
else requestAnimationFrame(() => setTimeout(start));
