import { expect, type Page } from '@playwright/test';
import { make_room, type Seat } from './room';
import { another_device, ask, set_up, test } from './server';
import { SHOTS, is_sound } from './sound';

/** Starts the tests of `seats` one after the other, as their pages would. */
async function start_all(page: Page, url: string, seats: Seat[]): Promise<void> {
  await page.goto(`${url}/sign-in`);
  for (const { session, link } of seats) {
    await page.request.post(`${url}/api/v1/links/${link.code}/open`, { data: {} });
    await page.evaluate(
      ([session]) =>
        new Promise<void>((resolve, reject) => {
          const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws?v=1`);
          const steps = [{ type: 'accept' }, { type: 'open' }, { type: 'start', seat: crypto.randomUUID() }];
          let done = 0;
          socket.onopen = () => {
            for (const command of steps) socket.send(JSON.stringify({ type: 'do', command_id: crypto.randomUUID(), to: `session.${session}`, command }));
          };
          socket.onmessage = () => {
            if (++done < steps.length) return;
            socket.onclose = null;
            socket.close();
            resolve();
          };
          socket.onclose = event => reject(new Error(`closed with ${event.code}`));
        }),
      [session],
    );
  }
}

test('a wall of more people than it shows turns to the others, and comes back', async ({ server, page, browser }) => {
  await set_up(server, page);
  const names = Array.from({ length: 14 }, (_, n) => `${String.fromCharCode(65 + n)}da Lund`);
  const { campaign, seats } = await make_room(page, names, { wall: 'names' });
  await start_all(await another_device(browser), server.url, seats);
  const { code } = await ask<{ code: string }>(page, 'POST', `campaigns/${campaign}/wall`, {});
  const wall = await another_device(browser, { width: 1920, height: 1080 });
  await wall.goto(`${server.url}/wall/${code}`);
  await expect(wall.getByText('2 questions, 14 candidates')).toBeVisible();
  await expect(wall.getByRole('rowheader')).toHaveCount(11);
  await expect(wall.getByText('1 to 11 of 14')).toBeVisible();
  await wall.keyboard.press('PageDown');
  await expect(wall.getByRole('rowheader')).toHaveCount(3);
  await expect(wall.getByRole('rowheader', { name: 'Nda Lund' })).toBeVisible();
  if (SHOTS) await wall.screenshot({ path: `${SHOTS}/wall-further-1920-dark.png` });
  await wall.getByRole('button', { name: 'Rows further up' }).click();
  await expect(wall.getByRole('rowheader', { name: 'Ada Lund' })).toBeVisible();
  const { campaign: row } = await ask<{ campaign: { settings: object } }>(page, 'GET', `campaigns/${campaign}`);
  await ask(page, 'PUT', `campaigns/${campaign}`, { settings: { ...row.settings, wall_rules: 'icpc' } });
  await expect(wall.getByRole('columnheader', { name: 'Solved' })).toBeVisible();
  if (SHOTS) await wall.screenshot({ path: `${SHOTS}/wall-icpc-1920-dark.png` });
});

test('a candidate sees their place once the creator shows it, and who is around them', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { campaign, seats } = await make_room(page, ['Aya Suleimanova', 'Bo Lindqvist', 'Cy Moreau'], { wall: 'names', allow_small_screen: true });
  await start_all(await another_device(browser), server.url, seats.slice(1));
  const aya = await another_device(browser);
  await aya.goto(`${server.url}/s/${seats[0]?.link.code}`);
  await aya.getByRole('button', { name: 'Go on' }).click();
  await aya.getByRole('button', { name: 'Take part' }).click();
  await aya.getByRole('button', { name: /^Start/ }).click();
  await aya.locator('.cm-content').click();
  const place = aya.getByRole('button', { name: /^You are 1st of 3/ });
  await expect(place).toHaveCount(0);

  await page.goto(`${server.url}/campaigns/${campaign}`);
  await page.getByRole('checkbox', { name: 'Candidates see where they stand' }).check();
  await is_sound(page, 'campaign-place');
  await expect(place).toBeVisible();
  await aya.keyboard.type('print(sum(map(int, input().split())))');
  await aya.getByRole('button', { name: 'Run all' }).click();
  await expect(aya.getByText('Best so far')).toBeVisible();
  await place.click();
  const dialog = aya.getByRole('dialog', { name: 'You are 1st of 3' });
  await expect(dialog.getByRole('row', { name: /1 Aya Suleimanova \(you\) 20/ })).toBeVisible();
  await expect(dialog.getByRole('row', { name: /2 Bo Lindqvist 0/ })).toBeVisible();
  await is_sound(aya, 'place');
  await page.getByLabel('Order').selectOption({ label: 'ICPC: solved, then minutes and penalties' });
  await expect(dialog.getByRole('columnheader', { name: 'Penalty' })).toBeVisible();
  await expect(dialog.getByRole('row', { name: /1 Aya Suleimanova \(you\) 1/ })).toBeVisible();
  await is_sound(page, 'campaign-order');
  await is_sound(aya, 'place-icpc');
  await dialog.getByRole('button', { name: 'Back to the test' }).click();

  await ask(page, 'POST', `campaigns/${campaign}/time`, { session: null, tag: 'Remote', by_ms: 300_000, reason: 'The lights went out.' });
  await expect(aya.getByText('“The lights went out.”')).toBeVisible();
  await ask(page, 'POST', `campaigns/${campaign}/pause`, { reason: 'Fire drill.' });
  await expect(aya.getByText('“Fire drill.”')).toBeVisible();
  await is_sound(aya, 'reasons');
  await page.getByRole('checkbox', { name: 'Candidates see where they stand' }).uncheck();
  await expect(aya.getByRole('button', { name: /^You are/ })).toHaveCount(0);
});
