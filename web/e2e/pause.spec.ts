import { expect } from '@playwright/test';
import { make_room } from './room';
import { another_device, ask, set_up, test } from './server';

test('who types while a pause begins is told what came too late, and goes on after it', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { campaign, seats } = await make_room(page, ['Aya Suleimanova']);
  const seat = seats[0]!;
  const aya = await another_device(browser);
  await aya.goto(`${server.url}/s/${seat.link.code}`);
  await aya.getByRole('button', { name: 'Go on' }).click();
  await aya.getByRole('button', { name: 'Take part' }).click();
  await aya.getByRole('button', { name: /^Start/ }).click();
  const saved = aya.getByRole('banner').getByText('Saved', { exact: true });
  await aya.locator('.cm-content').click();
  await aya.keyboard.type('# one');
  await expect(saved).toBeVisible();
  // A frame goes once a second: the rest of this is still here when the pause begins.
  await aya.keyboard.type(' and two');
  await ask(page, 'POST', `campaigns/${campaign}/pause`, { reason: 'A fire drill' });
  await expect(aya.getByText('A fire drill').first()).toBeVisible();
  await expect(aya.getByText('came too late')).toBeVisible();
  await expect(saved).toBeVisible();
  await ask(page, 'POST', `campaigns/${campaign}/resume`, {});
  await expect(aya.locator('.cm-content')).toHaveAttribute('contenteditable', 'true');
  await aya.locator('.cm-content').click();
  await aya.keyboard.press('Control+End');
  await aya.keyboard.type('; three');
  await expect(saved).toBeVisible();
  const shown = await aya.locator('.cm-content').innerText();
  await expect(async () => {
    const answer = await aya.request.get(`${server.url}/api/v1/sit/${seat.session}/files`);
    const { files } = (await answer.json()) as { files: { text: string }[] };
    expect(files.map(file => file.text)).toContain(shown.trimEnd());
  }).toPass({ timeout: 10_000 });
  expect(shown).toContain('; three');
});
