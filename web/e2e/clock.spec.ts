import { expect, type Page } from '@playwright/test';
import { make_room } from './room';
import { another_device, ask, set_up, test } from './server';

const HOUR_MS = 3_600_000;
const SHOWN_OFF_MAX_MS = 1_000;

type Campaign = { now: number; candidates: { row: { ends_at: number } }[] };

for (const [way, off_ms] of [['behind', -HOUR_MS], ['ahead', HOUR_MS]] as const) {
  test(`a device whose clock is an hour ${way} shows the server's time left`, async ({ server, page, browser }) => {
    await set_up(server, page);
    const { campaign, seats } = await make_room(page, ['Aya Suleimanova']);
    const aya = await another_device(browser);
    await aya.addInitScript(off => {
      const Real = Date;
      const now = () => Real.now() + off;
      globalThis.Date = new Proxy(Real, {
        construct: (target, given) => Reflect.construct(target, given.length === 0 ? [now()] : given) as Date,
        apply: () => new Real(now()).toString(),
        get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
      });
    }, off_ms);
    await aya.goto(`${server.url}/s/${seats[0]?.link.code}`);
    expect(Math.abs((await aya.evaluate(() => Date.now())) - Date.now() - off_ms)).toBeLessThan(60_000);
    await aya.getByRole('button', { name: 'Go on' }).click();
    await aya.getByRole('button', { name: 'Take part' }).click();
    await aya.getByRole('button', { name: /^Start/ }).click();
    await aya.locator('.cm-content').click();
    const read = () => ask<Campaign>(page, 'GET', `campaigns/${campaign}`);
    // What is shown lies between what the server says before and after it was read. A page that is
    // kept from drawing for a moment is looked at again; a wrong clock stays wrong.
    await expect(async () => {
      const before = await read();
      const shown_ms = await shown(aya);
      const after = await read();
      const ends_at = before.candidates[0]!.row.ends_at;
      expect(shown_ms).toBeLessThanOrEqual(ends_at - before.now + SHOWN_OFF_MAX_MS);
      expect(shown_ms).toBeGreaterThanOrEqual(ends_at - after.now - SHOWN_OFF_MAX_MS);
    }).toPass({ timeout: 30_000 });
    await aya.keyboard.type('typed by a wrong clock');
    await expect(aya.getByRole('banner').getByText('Saved', { exact: true })).toBeVisible();
  });
}

/** The time left as the header says it, in ms. */
async function shown(page: Page): Promise<number> {
  const text = await page.getByRole('banner').getByRole('timer').innerText();
  const parts = text.split(':').map(Number);
  return parts.reduce((sum, part) => sum * 60 + part, 0) * 1_000;
}
