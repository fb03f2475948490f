import { expect } from '@playwright/test';
import { make_room } from './room';
import { ADMIN, another_device, ask, set_up, test } from './server';

test('a link that has expired says until when it was good and whom to ask; the creator makes another', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { campaign, seats } = await make_room(page, ['Aya Suleimanova']);
  const path = `campaigns/${campaign}/candidates/${seats[0]?.session}/link`;
  const { code } = await ask<{ code: string }>(page, 'POST', path, { expires_at: Date.now() + 1_500 });
  const aya = await another_device(browser);
  await expect(async () => {
    await aya.goto(`${server.url}/s/${code}`);
    await expect(aya.getByRole('heading', { name: 'This link has expired' })).toBeVisible({ timeout: 2_000 });
  }).toPass();
  await expect(aya.getByText(`Ask ${ADMIN.name} for a new one`)).toBeVisible();
  await expect(aya.getByText(String(new Date().getFullYear()))).toBeVisible();

  await page.goto(`${server.url}/campaigns/${campaign}`);
  const [more, renew, until] = [page.getByRole('button', { name: /Aya Suleimanova/ }), page.getByRole('button', { name: 'New link…' }).last(), page.getByLabel('Good until')];
  await expect(async () => {
    // The table may still be moving under the pointer: a click that began on one thing and ended on another is none.
    if (await until.isVisible()) return;
    if (!await renew.isVisible()) await more.click({ timeout: 2_000 });
    await renew.click({ timeout: 2_000 });
    await expect(until).toBeVisible({ timeout: 2_000 });
  }).toPass();
  await page.getByLabel('Good until').fill('2001-01-01T09:00');
  await page.getByRole('button', { name: 'Make a new link' }).click();
  await expect(page.locator('#renew-link').getByText('A link expires at a moment that is still to come')).toBeVisible();
  await page.getByLabel('Good until').fill(`${new Date().getFullYear() + 1}-01-01T09:00`);
  await page.getByRole('button', { name: 'Make a new link' }).click();
  await expect(page.getByText('Aya Suleimanova has a new link')).toBeVisible();
});

test('who waits sees that the campaign is paused, and that it goes on', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { campaign, seats } = await make_room(page, ['Aya Suleimanova']);
  const aya = await another_device(browser);
  await aya.goto(`${server.url}/s/${seats[0]?.link.code}`);
  await aya.getByRole('button', { name: 'Go on' }).click();
  await aya.getByRole('button', { name: 'Take part' }).click();
  const start = aya.getByRole('button', { name: /^Start/ });
  await expect(start).toBeEnabled();
  await ask(page, 'POST', `campaigns/${campaign}/pause`, {});
  await expect(aya.getByRole('heading', { name: 'The campaign is paused' })).toBeVisible();
  await expect(start).toBeDisabled();
  await ask(page, 'POST', `campaigns/${campaign}/resume`, {});
  await start.click();
  await expect(aya.locator('.cm-content')).toBeVisible();
});
