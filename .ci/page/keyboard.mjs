// A pause, a resume, a replay that is stopped, and a removal, by keys alone.
export async function replayPauseRemove({ page, root, world, want }) {
  // to goes on by Tab until what has the focus fits.
  const to = async (what, fits) => {
    for (let i = 0; i < 150; i++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(fits)) return;
    }
    throw new Error('the keyboard does not reach ' + what);
  };
  const on = (text) => to(text, `document.activeElement.textContent.trim() === ${JSON.stringify(text)} && !document.activeElement.closest('.alarms')`);
  const opened = async () => { await page.keyboard.press('Enter'); await page.locator('dialog[open] form').waitFor(); };
  const done = async (what) => {
    await page.keyboard.press('Enter');
    await page.locator('#notice').getByText(what).waitFor();
    want(await page.evaluate(() => document.activeElement.id) === 'notice', `after “${what}” the focus is elsewhere`);
  };
  const find = async (id) => (await world.json('status'))[0].webhooks.find((w) => w.id === id);

  await page.goto(root);
  await to('the webhook', `document.activeElement.getAttribute('href') === '/page/webhooks/${world.shop.id}'`);
  await page.keyboard.press('Enter');
  await page.waitForURL(/webhooks/);
  await on('Pause…');
  await opened();
  await on('Pause');
  await done('Nothing is sent to it');
  want((await find(world.shop.id)).status === 'paused', 'it is not paused');
  await on('Resume');
  await done('Resumed');

  const dying = world['webhook/support'].id;
  await page.goto(root + 'webhooks/' + dying);
  await to('its replay', `/^Replay \\d+…/.test(document.activeElement.textContent)`);
  await opened();
  await to('the rate', `document.activeElement.name === 'rate'`);
  await page.keyboard.press('Control+a');
  await page.keyboard.type('1');
  await to('the button', `/^Replay \\d+$/.test(document.activeElement.textContent)`);
  await done('The replay has begun');
  await on('Stop');
  const value = await page.locator('#replays progress').getAttribute('value');
  await page.waitForFunction((was) => document.querySelector('#replays progress')?.getAttribute('value') !== was, value); // beside the focus
  await done('The replay is stopped');
  want(/\/page\/deadletters$/.test(page.url()), 'stopping leads to ' + page.url());

  await page.goto(root + 'webhooks/' + world.slow.id);
  await on('Remove…');
  await opened();
  want(await page.evaluate(() => document.activeElement.textContent) === 'Keep it', 'the dialog opens on the red button');
  await on('Remove');
  await done('Removed ' + world.slow.id);
  want(await find(world.slow.id) === undefined, 'it is not removed');
}
