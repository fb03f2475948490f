import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';
import { make_room } from './room';
import { add_person, another_device, ask, set_up, test } from './server';
import { SHOTS, is_sound } from './sound';

test('the doors are sound', async ({ server, page }) => {
  await page.goto(server.url);
  await is_sound(page, 'home');
  await page.goto(`${server.url}/sign-in`);
  await is_sound(page, 'sign-in');
  await page.goto(await server.setup_link);
  await page.getByRole('button', { name: 'Create the account' }).click();
  await is_sound(page, 'set-up');
  await page.goto(`${server.url}/no-such-page`);
  await is_sound(page, 'missing');
});

test('the people are sound', async ({ server, page }) => {
  await set_up(server, page);
  await page.goto(`${server.url}/people`);
  await add_person(page, 'Tomás Ó Briain', 'tomas@kallsvik.example');
  await is_sound(page, 'people');
  await page.getByRole('button', { name: /^Shut out… Tomás/ }).click();
  await is_sound(page, 'people-shut-out');
});

test('contents and tests are sound', async ({ server, page }) => {
  await set_up(server, page);
  await make_room(page, []);
  const { contents } = await ask<{ contents: { id: string; summary: { kind: string } }[] }>(page, 'GET', 'contents');
  const { tests } = await ask<{ tests: { id: string }[] }>(page, 'GET', 'tests');
  const of_kind = (kind: string) => contents.find(one => one.summary.kind === kind)?.id;
  await are_sound(page, { contents: '/contents', code: `/contents/${of_kind('code')}`, quiz: `/contents/${of_kind('quiz')}`, tests: '/tests', test: `/tests/${tests[0]?.id}` });
});

test('campaigns are sound', async ({ server, page }) => {
  await set_up(server, page);
  const { campaign, seats } = await make_room(page, ['Aya Suleimanova', 'Tomás Ó Briain']);
  await are_sound(page, {
    campaigns: '/campaigns', new: '/campaigns/new', campaign: `/campaigns/${campaign}`, monitor: `/campaigns/${campaign}/monitor`,
    candidate: `/campaigns/${campaign}/candidates/${seats[0]?.session}`,
  });
});

/** The same of many pages, by name. */
async function are_sound(page: Page, pages: Record<string, string>): Promise<void> {
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(new URL(path, page.url()).href);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await is_sound(page, name);
  }
}

test('all that comes before the start is sound', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { seats } = await make_room(page, ['Aya Suleimanova'], { allow_small_screen: true });
  const aya = await another_device(browser);
  await aya.goto(`${server.url}/s/${seats[0]?.link.code}`);
  await aya.getByRole('button', { name: 'Go on' }).waitFor();
  await is_sound(aya, 'invited');
  await aya.getByRole('button', { name: 'Go on' }).click();
  await aya.getByRole('button', { name: 'Take part' }).waitFor();
  await is_sound(aya, 'take-part');
  await aya.getByRole('button', { name: 'Take part' }).click();
  await aya.getByRole('button', { name: /^Start/ }).waitFor();
  await is_sound(aya, 'start');
});

test('the sitting, the receipt and the wall are sound', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { seats, campaign } = await make_room(page, ['Aya Suleimanova'], { allow_small_screen: true });
  const aya = await another_device(browser);
  await aya.goto(`${server.url}/s/${seats[0]?.link.code}`);
  await aya.getByRole('button', { name: 'Go on' }).click();
  await aya.getByRole('button', { name: 'Take part' }).click();
  await aya.getByRole('button', { name: /^Start/ }).click();
  await aya.locator('.cm-content').click();
  await aya.keyboard.type('print(sum(map(int, input().split())))');
  await aya.getByRole('button', { name: 'Run all' }).click();
  await expect(aya.getByText('Best so far')).toBeVisible();
  await is_sound(aya, 'sit');
  await aya.getByRole('navigation').getByRole('button', { name: /Is it so/ }).click();
  await aya.getByRole('radio', { name: 'Yes' }).check();
  await is_sound(aya, 'sit-quiz');
  await aya.getByRole('button', { name: 'Hand in…' }).click();
  await is_sound(aya, 'hand-in');
  await aya.getByRole('dialog').getByRole('button', { name: 'Hand in', exact: true }).click();
  await aya.getByRole('heading', { name: /^Receipt/ }).waitFor();
  await is_sound(aya, 'receipt');

  const { code } = await ask<{ code: string }>(page, 'POST', `campaigns/${campaign}/wall`, {});
  const wall = await another_device(browser, { width: 1920, height: 1080 });
  await wall.goto(`${server.url}/wall/${code}`);
  await expect(wall.getByRole('rowheader', { name: /A\. S\./ })).toBeVisible();
  await is_sound_wall(wall, 'wall');
  const { campaign: row } = await ask<{ campaign: { settings: Record<string, unknown> } }>(page, 'GET', `campaigns/${campaign}`);
  await ask(page, 'PUT', `campaigns/${campaign}`, { settings: { ...row.settings, wall_frozen_at: 1 } });
  await expect(wall.getByText(/^Frozen since/)).toBeVisible();
  await expect(wall.getByRole('cell', { name: /tried, told later/ })).toHaveCount(2);
  await is_sound_wall(wall, 'wall-frozen');
});

async function is_sound_wall(wall: Page, name: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page: wall }).analyze();
  expect(violations.map(({ id, nodes }) => `${name} ${id}: ${nodes.map(node => node.html).join(' ')}`)).toEqual([]);
  if (SHOTS) await wall.screenshot({ path: `${SHOTS}/${name}-1920-dark.png` });
}

test('a screen that is too small says so, before the start and after', async ({ server, page, browser }) => {
  await set_up(server, page);
  const { seats } = await make_room(page, ['Aya Suleimanova']);
  const aya = await another_device(browser);
  await aya.goto(`${server.url}/s/${seats[0]?.link.code}`);
  await aya.getByRole('button', { name: 'Go on' }).click();
  await aya.getByRole('button', { name: 'Take part' }).click();
  await aya.getByRole('button', { name: /^Start/ }).click();
  await aya.locator('.cm-content').waitFor();
  await aya.setViewportSize({ width: 390, height: 844 });
  await expect(aya.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(aya.locator('.cm-content')).toHaveCount(0);
  const { violations } = await new AxeBuilder({ page: aya }).analyze();
  expect(violations).toEqual([]);
  if (SHOTS) await aya.screenshot({ path: `${SHOTS}/too-small-390-light.png` });
});

test('a link that opens nothing says why, in French too', async ({ server, page }) => {
  await page.goto(`${server.url}/s/00000000-0000-4000-8000-000000000000`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.getByRole('button', { name: /Français/ }).click();
  await expect(page.locator('html')).toHaveAttribute('lang', 'fr');
  await is_sound(page, 'unknown-link');
});
