// Long unbroken names, addresses and bodies on screens of every width; and targets for fingers.
import { newBrowser } from './browser.mjs';

const long = 'X'.repeat(90), mixed = '\u202eevil שלום مرحبا 👩‍👩‍👧‍👦';

export async function longAndNarrow({ page, root, world, bad, paths }) {
  for (const [name, phone] of [[long, '15550100201'], [mixed, '15550100202']]) await world.sim('POST', '/contacts', { name, phone });
  const hook = await world.hook('a/' + 'segment'.repeat(40) + '/end?token=made-up', () => ({ status: 500, body: 'z'.repeat(3000) + mixed }), '--schedule', '0s', '--hold-after', '0', '--header', `X-${'Long'.repeat(25)}: 1`);
  for (const from of [long, mixed]) await world.sim('POST', '/messages', { from, text: 'w'.repeat(10_000) });
  const letters = await world.until('they are dead', async () => { const all = await world.json('deadletter', 'list', '--url', hook.id); return all.length >= 2 && all; });
  for (const at of [...paths, `webhooks/${hook.id}`, `webhooks/${hook.id}/remove`, `deadletters/${letters[0].id}`]) {
    await page.goto(root + at);
    for (const s of await page.locator('main details:not(.fold, .content) > summary').all()) if (await s.isVisible()) await s.click();
    for (const width of [320, 390, 768, 961, 1280, 1920]) {
      await page.setViewportSize({ width, height: 900 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) bad(`${at || 'overview'} at ${width}: ${over} px wider than the screen: ${await page.evaluate(() => [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.vh')).slice(-2).map((e) => e.outerHTML.slice(0, 120)).join(' | '))}`);
      for (const word of await tornWords(page)) bad(`${at || 'overview'} at ${width}: a command is torn: ${word}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

// tornWords returns the words of commands that are broken though a line has room for each.
export const tornWords = (page) => page.evaluate(() => {
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const at = text.parentElement, command = at.closest('code');
    if (!at.checkVisibility() || at.closest('.vh, pre, script')) continue;
    for (const m of text.data.matchAll(command ? /\S+/g : /(?<!\S)--\S+/g)) {
      const range = document.createRange();
      range.setStart(text, m.index);
      range.setEnd(text, m.index + m[0].length);
      const parts = [...range.getClientRects()];
      if (new Set(parts.map((r) => Math.round(r.top))).size < 2) continue;
      let block = at.closest('.w')?.parentElement ?? at;
      while (getComputedStyle(block).display === 'inline') block = block.parentElement;
      const style = getComputedStyle(block), room = block.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      const width = parts.reduce((sum, r) => sum + r.width, 0);
      if (width < room) found.push(`${m[0]} (${Math.round(width)} px, and room for ${Math.round(room)}) in ${(command ?? at).textContent.slice(0, 80)}`);
    }
  }
  return found;
});

// byFinger measures what can be touched on a phone: 40 px high at least.
export async function byFinger({ dir, chromium, world, bad }) {
  const b = await newBrowser(dir, chromium, bad, { hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } });
  try {
    const link = await world.link();
    const root = new URL('/page/', link).href;
    await b.page.goto(link);
    await b.page.waitForURL(root);
    for (const at of ['', 'deadletters', 'webhooks/' + world.crm.id, 'live', 'link', `webhooks/${world.crm.id}/pause`]) {
      await b.page.goto(root + at);
      const small = await b.page.evaluate(() => [...document.querySelectorAll('button, .btn, select, input:not([type=hidden]), nav li a, main summary')].filter((e) => e.checkVisibility() && !e.closest('thead'))
        .map((e) => [(e.matches('[type=checkbox], [type=radio]') ? e.closest('label') ?? e : e).getBoundingClientRect(), e]).filter(([r]) => r.height < 40 && r.width > 1).map(([r, e]) => `${Math.round(r.height)} px: ${e.outerHTML.slice(0, 90)}`));
      for (const s of [...new Set(small)].slice(0, 3)) bad(`too small for a finger on ${at || 'overview'}: ${s}`);
    }
  } finally {
    await b.close();
  }
}

// typedCodeFirst wants the code to type first on a phone, also by keyboard, and the one to scan
// elsewhere; each once.
export async function typedCodeFirst({ page, want }) {
  for (const [width, first, stop] of [[390, 'On this phone: type a code', 'tel-here'], [1280, /^(Code \d of 6|QR code)$/, null]]) {
    await page.setViewportSize({ width, height: 844 });
    const panels = await page.locator('#pairing h2:visible').allInnerTexts();
    want(first instanceof RegExp ? first.test(panels[0]) : panels[0] === first, `linking at ${width} begins with ${panels[0]}`);
    want(panels.filter((h) => /type a code/i.test(h)).length === 1, `linking at ${width} has the panels ${panels.join(', ')}`);
    want(await page.locator('.code8:visible').count() === 1, `the code to type is not seen once at ${width}`);
    if (!stop) continue;
    await page.locator('#main').focus();
    await page.keyboard.press('Tab');
    want(await page.evaluate(() => document.activeElement.id) === stop, 'the first stop of linking on a phone is ' + await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80)));
    await page.evaluate(() => document.activeElement.blur());
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

// everyChoice looks for what a menu cannot show of one of its choices, at the widths of a phone and
// of a desk.
export async function everyChoice({ page, root, world, bad }) {
  const old = await world.hook('a-webhook-that-is-removed', () => ({ status: 500 }), '--schedule', '0s', '--hold-after', '0');
  await world.sim('POST', '/messages', { from: 'Bob', text: 'to a webhook that will be removed' });
  await world.until('it is dead', async () => (await world.json('deadletter', 'list', '--url', old.id)).length);
  await world.run('webhook', 'remove', old.id);
  for (const at of ['deadletters', 'live', 'events', 'audit']) {
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(root + at);
      await page.evaluate(() => { for (const d of document.querySelectorAll('details.fold')) d.open = true; });
      const cut = await page.evaluate(() => {
        const pen = document.createElement('canvas').getContext('2d'), arrow = 20;
        return [...document.querySelectorAll('.filters select')].flatMap((s) => {
          const style = getComputedStyle(s), room = s.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - arrow;
          pen.font = style.font;
          return [...s.options].map((o) => o.text).filter((text) => pen.measureText(text).width > room).map((text) => `${text} (${Math.round(pen.measureText(text).width)} px, and room for ${Math.round(room)})`);
        });
      });
      for (const text of cut) bad(`${at} at ${width}: a menu cuts ${text}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}
