// Everything again without script: each button leads to a page with its form.
import { newBrowser } from './browser.mjs';
import { typedCodeFirst } from './widths.mjs';

// typedCodeWithoutScript wants the code to type first on a phone that runs no script.
export async function typedCodeWithoutScript({ dir, chromium, world, bad, want }) {
  const b = await newBrowser(dir, chromium, bad, { javaScriptEnabled: false });
  try {
    const link = await world.link();
    await b.page.goto(link);
    const root = new URL('/page/', link).href;
    await b.page.waitForURL(root);
    await b.page.goto(root + 'link');
    await typedCodeFirst({ page: b.page, want });
  } finally {
    await b.close();
  }
}

export async function withoutScript({ dir, chromium, world, bad, want }) {
  const b = await newBrowser(dir, chromium, bad, { javaScriptEnabled: false });
  const { page } = b;
  try {
    const link = await world.link();
    const root = new URL('/page/', link).href;
    await page.goto(link);
    await page.waitForURL(root); // by the page's refresh
    for (const [name, title] of [['Live', 'Live events'], ['Events', 'events'], ['Dead letters', 'dead letters'], ['Audit', 'Who changed what'], ['Link', 'Linked'], ['Overview', '']]) {
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
      if (title) await page.getByRole('heading', { level: 1 }).filter({ hasText: title }).waitFor();
    }
    want(!await page.getByText('Pause the list').isVisible(), 'a button that needs script is seen');
    const status = async () => (await world.json('status'))[0].webhooks.find((w) => w.id === world.shop.id).status;
    await page.goto(root + 'webhooks/' + world.shop.id);
    await page.getByRole('link', { name: 'Pause…' }).click();
    await page.getByRole('link', { name: 'Cancel' }).click();
    want(await status() === 'active', 'Cancel paused it');
    await page.getByRole('link', { name: 'Pause…' }).click();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Nothing is sent to it until it is resumed').waitFor();
    want(await status() === 'paused', 'it was not paused');
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('Resumed').first().waitFor();
    want(await status() === 'active', 'it was not resumed');
    await page.getByRole('button', { name: 'Test now' }).click();
    await page.getByText('The test was accepted').waitFor();
    await page.goto(root + 'deadletters');
    await page.getByText('Filter', { exact: true }).first().click();
    await page.locator('select[name=reason]').selectOption('404');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.locator('#letters tbody tr').first().waitFor();
    want(await page.locator('#letters tbody tr').filter({ hasNotText: '404 Not Found' }).count() === 0, 'the filter lets others through');
    await page.locator('tbody .tick input').first().check();
    const before = (await world.json('status'))[0].dead;
    await page.getByRole('button', { name: 'Purge selected…' }).click();
    await page.getByRole('button', { name: 'Delete 1 for good' }).click();
    await page.getByText('Deleted 1 dead letter').waitFor();
    want((await world.json('status'))[0].dead === before - 1, 'it was not deleted');
    await page.getByRole('button', { name: 'Exact times' }).click();
    await page.getByRole('button', { name: 'Exact times', pressed: true }).waitFor();
    want(!/\d+ s ago/.test(await page.locator('main').innerText()), 'times are not exact');
    await page.getByRole('button', { name: 'End the session' }).click();
    await page.getByText('The session has ended').waitFor();
    await page.goto(root);
    want(await page.getByText('No session').isVisible(), 'the session goes on');
  } finally {
    await b.close();
  }
}
