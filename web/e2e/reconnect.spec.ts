import { expect } from '@playwright/test';
import { make_room } from './room';
import { another_device, set_up, test } from './server';

test('US-084 the server is killed in mid-edit: typing goes on, and everything is there', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { seats } = await make_room(page, ['Aya Suleimanova']);
  const aya = await another_device(browser);
  await aya.goto(`${server.url}/s/${seats[0]?.link.code}`);
  await aya.getByRole('button', { name: 'Go on' }).click();
  await aya.getByRole('button', { name: 'Take part' }).click();
  await aya.getByRole('button', { name: /^Start/ }).click();
  const editor = aya.locator('.cm-content');
  await editor.click();
  await aya.keyboard.type('before ');
  await expect(aya.getByRole('banner').getByText('Saved', { exact: true })).toBeVisible();

  await server.kill();
  await aya.keyboard.type('while it was away ');
  await expect(aya.getByText(/kept on this device|kept here/i).first()).toBeVisible();
  await server.start_again();
  await expect(aya.getByRole('banner').getByText('Saved', { exact: true })).toBeVisible({ timeout: 60_000 });
  await aya.keyboard.type('after');
  await expect(aya.getByRole('banner').getByText('Saved', { exact: true })).toBeVisible();

  // The outage is given back, and written beside the clock.
  await expect(aya.getByText(/^\+\d+\ss: time given back/).first()).toBeVisible();
  await aya.reload();
  await expect(editor).toHaveText('before while it was away after');
});

test('a second device takes the seat, and the first one says so and can take it back', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { seats } = await make_room(page, ['Aya Suleimanova']);
  const link = `${server.url}/s/${seats[0]?.link.code}`;
  const [first, second] = [await another_device(browser), await another_device(browser)];
  await first.goto(link);
  await first.getByRole('button', { name: 'Go on' }).click();
  await first.getByRole('button', { name: 'Take part' }).click();
  await first.getByRole('button', { name: /^Start/ }).click();
  await first.locator('.cm-content').click();
  await first.keyboard.type('here');
  await expect(first.getByText('Saved', { exact: true })).toBeVisible();

  await second.goto(link);
  await second.getByRole('button', { name: 'Go on' }).click();
  await expect(second.locator('.cm-content')).toHaveText('here');
  await expect(first.getByText(/another device/)).toBeVisible();
  await expect(first.locator('.cm-content')).toHaveAttribute('aria-readonly', 'true');
  await first.getByRole('button', { name: /here|Take/ }).first().click();
  await expect(second.getByText(/another device/)).toBeVisible();
});
