// A tab that nobody looks at: its title and icon tell of alarms, and when it comes back it is as a
// page made now.
export async function nobodyLooks({ b, root, world, want }) {
  const aside = await b.context.newPage();
  await aside.clock.install();
  await aside.goto(root + 'audit');
  await aside.goto(root + 'live');
  const titled = async () => {
    const alarms = (await world.json('status'))[0].alarms.length;
    await aside.waitForFunction((n) => document.title.startsWith(`${n} alarms · Live`), alarms);
    return alarms;
  };
  const before = await titled();
  const seen = (hidden) => aside.evaluate((h) => { Object.defineProperty(document, 'hidden', { get: () => h, configurable: true }); document.dispatchEvent(new Event('visibilitychange')); }, hidden);
  await seen(true);
  await world.run('webhook', 'pause', world.shop.id);
  await aside.clock.fastForward(21_000);
  want(await titled() > before, 'a webhook that is paused is no alarm');
  await world.run('webhook', 'resume', world.shop.id);
  await world.sim('POST', '/messages', { from: 'Bob', text: 'while nobody looked' });
  await aside.evaluate(() => { document.body.dataset.old = 1; });
  await aside.clock.fastForward(61_000);
  await seen(false);
  await aside.waitForFunction(() => !document.body.dataset.old);
  await titled();
  await aside.close();
}
