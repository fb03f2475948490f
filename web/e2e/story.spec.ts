import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Page } from '@playwright/test';
import { another_device, ask, set_up, test } from './server';

const SHARED = process.env.POLYCODE_SHARED ?? join(import.meta.dirname, '../../../shared');
const OURS = join(import.meta.dirname, 'packages');
const HAS_SHARED = existsSync(join(SHARED, 'data/icpc-packages'));
if (process.env.CI && !HAS_SHARED) throw new Error('the shared packages are missing');
const PACKAGES = HAS_SHARED
  ? [{ dir: join(SHARED, 'data/icpc-packages/hello'), title: 'Hello World!' }, { dir: join(SHARED, 'data/icpc-packages/tripletexting'), title: 'Triple Texting' }]
  : [{ dir: join(OURS, 'greet'), title: 'Greet' }, { dir: join(OURS, 'twice'), title: 'Twice' }];
const GREETING = HAS_SHARED ? 'print("Hello World!")' : 'print("Good day")';

type Campaign = { candidates: { name: string; session: string; link: { code: string }; row: { score: number; status: string; ends_at: number; handed_in: boolean; edits: number } }[] };

test('US-075 US-076 US-084 US-088 US-089 US-094 a campaign from the first package to the last result', async ({ server, page, browser }) => {
  await set_up(server, page);

  // Two packages and a quiz.
  await page.goto(`${server.url}/contents`);
  for (const { dir, title } of PACKAGES) {
    await page.getByRole('button', { name: 'Import a package…' }).first().click();
    await page.getByLabel('Package, a zip file').setInputFiles(zipped(dir));
    await page.getByRole('dialog').getByRole('button', { name: 'Import' }).click();
    await expect(page.getByRole('dialog').getByRole('status')).toContainText(title);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('link', { name: title })).toBeVisible();
  }
  await write_quiz(page);
  await make_test(page);
  const campaign = await make_campaign(page);

  // Three people, by pasting lines.
  await page.getByRole('textbox', { name: 'Add candidates' }).fill('Aya Suleimanova, aya@kallsvik.example, Lyon\nTomás Ó Briain, tomas@kallsvik.example, Remote\nŽofie Dvořáková, zofie@kallsvik.example, Lyon');
  await page.getByRole('button', { name: 'Add 3' }).click();
  await expect(page.getByText('3 were added')).toBeVisible().catch(() => undefined);
  const { candidates } = await ask<Campaign>(page, 'GET', `campaigns/${campaign}`);
  expect(candidates).toHaveLength(3);
  const link = (name: string) => `${server.url}/s/${candidates.find(one => one.name.startsWith(name))?.link.code}`;

  await page.goto(`${server.url}/campaigns/${campaign}/monitor`);
  const row = (name: string) => page.getByRole('row').filter({ hasText: name });
  await expect(row('Aya')).toContainText('To confirm');

  // One declines, and the monitor shows it.
  const aya = await another_device(browser);
  await open_link(aya, link('Aya'));
  await aya.getByRole('button', { name: /^Decline/ }).first().click();
  await aya.getByRole('dialog').getByRole('textbox').fill('I have found another position.');
  await aya.getByRole('dialog').getByRole('button', { name: /^Decline/ }).click();
  await expect(row('Aya')).toContainText('Declined');

  // One sits and hands in.
  const tomas = await another_device(browser);
  await open_link(tomas, link('Tomás'));
  await start(tomas);
  await expect(row('Tomás')).toContainText('Sitting');
  await type_code(tomas, GREETING);
  await tomas.getByRole('button', { name: 'Run all' }).click();
  await expect(tomas.getByText('Best so far')).toBeVisible();
  await tomas.getByRole('navigation').getByRole('button', { name: /Which are even/ }).click();
  await tomas.getByRole('checkbox', { name: 'Two' }).check();
  await tomas.getByRole('checkbox', { name: 'Four' }).check();
  await expect(tomas.getByText('Saved', { exact: true })).toBeVisible();
  await tomas.getByRole('button', { name: 'Hand in…' }).click();
  await expect(tomas.getByRole('dialog')).toContainText('Triple Texting'.slice(0, HAS_SHARED ? undefined : 0));
  await tomas.getByRole('dialog').getByRole('button', { name: 'Hand in', exact: true }).click();
  await expect(tomas.getByRole('heading', { name: 'Receipt for Tomás Ó Briain' })).toBeVisible();

  // One is cut off in mid-edit and comes back in another browser, at the same character and time.
  const zofie = await another_device(browser);
  await open_link(zofie, link('Žofie'));
  await start(zofie);
  // The editor closes brackets and quotes by itself.
  await type_code(zofie, 'print("Hello W');
  await expect(zofie.getByText('Saved', { exact: true })).toBeVisible();
  const before = await of(page, campaign, 'Žofie');
  await zofie.context().setOffline(true);
  await zofie.context().close();
  const elsewhere = await another_device(browser);
  await open_link(elsewhere, link('Žofie'));
  await expect(elsewhere.locator('.cm-content')).toHaveText('print("Hello W")');
  const after = await of(page, campaign, 'Žofie');
  expect(after.row.ends_at).toBe(before.row.ends_at);

  // …and runs into the limit: what was typed counts though it was never run.
  await elsewhere.locator('.cm-content').click();
  await elsewhere.keyboard.press('Control+A');
  await elsewhere.keyboard.type(GREETING);
  await expect(elsewhere.getByText('Saved', { exact: true })).toBeVisible();
  await expect(elsewhere.locator('.cm-content')).toHaveAttribute('aria-readonly', 'true', { timeout: 90_000 });
  await expect(row('Žofie')).toContainText('Finished', { timeout: 60_000 });

  // The results add up.
  await expect.poll(async () => (await of(page, campaign, 'Žofie')).row.score, { timeout: 60_000 }).toBe(30);
  expect((await of(page, campaign, 'Tomás')).row.score).toBe(40);
  await page.goto(`${server.url}/campaigns/${campaign}`);
  await expect(page.getByRole('row').filter({ hasText: 'Tomás' }).first()).toContainText('40');
  const csv = await page.request.get(`${server.url}/api/v1/campaigns/${campaign}/results.csv`);
  expect(await csv.text()).toContain('"Tomás Ó Briain","tomas@kallsvik.example","Remote","test_finished"');
});

function zipped(dir: string): string {
  const to = join(mkdtempSync(join(tmpdir(), 'package-')), 'package');
  execFileSync('python3', ['-c', 'import shutil, sys; shutil.make_archive(sys.argv[1], "zip", sys.argv[2])', to, dir]);
  return `${to}.zip`;
}

async function write_quiz(page: Page): Promise<void> {
  await page.goto(new URL('/contents', page.url()).href);
  await page.getByRole('button', { name: 'Quiz', exact: true }).click();
  await page.getByRole('textbox', { name: 'Title' }).fill('Which are even?');
  await page.getByRole('textbox', { name: /^Statement/ }).fill('Pick all even numbers.');
  await page.getByRole('checkbox', { name: /Several choices/ }).check();
  const add = page.getByRole('button', { name: 'Choice', exact: true });
  while ((await page.getByRole('textbox', { name: /^Choice \d/ }).count()) < 3) await add.click();
  for (const [i, [text, right]] of ([['Two', true], ['Three', false], ['Four', true]] as const).entries()) {
    await page.getByRole('textbox', { name: `Choice ${i + 1}` }).fill(text);
    if (right) await page.getByRole('checkbox', { name: `Choice ${i + 1} is right` }).check();
  }
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
}

async function make_test(page: Page): Promise<void> {
  await page.goto(new URL('/tests', page.url()).href);
  await page.getByRole('button', { name: 'New test' }).first().click();
  await page.getByRole('textbox', { name: 'Title' }).fill('Autumn');
  await page.getByRole('textbox', { name: /Time allowed/ }).fill('1');
  await page.getByRole('button', { name: 'Question', exact: true }).first().click();
  for (const title of [...PACKAGES.map(one => one.title), 'Which are even?']) await page.getByRole('button', { name: new RegExp(`Add.*${title.replace(/[?!]/g, '.')}`) }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  for (const [title, points] of [[PACKAGES[0]?.title, 30], [PACKAGES[1]?.title, 20], ['Which are even?', 10]] as const) {
    await page.getByRole('button', { name: title ?? '', exact: true }).click();
    await page.getByRole('textbox', { name: 'Points' }).fill(String(points));
  }
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
}

async function make_campaign(page: Page): Promise<string> {
  await page.getByRole('link', { name: 'Make a campaign' }).click();
  await page.getByRole('textbox', { name: 'Title' }).fill('Autumn relay');
  await page.getByRole('button', { name: 'Make the campaign' }).click();
  await page.waitForURL(/\/campaigns\/[0-9a-f-]{36}$/);
  return page.url().split('/').at(-1) ?? '';
}

async function open_link(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByRole('button', { name: 'Go on' }).click();
}

async function start(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Take part' }).click();
  await page.getByRole('button', { name: /^Start/ }).click();
  await page.locator('.cm-content').waitFor();
}

async function type_code(page: Page, text: string): Promise<void> {
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+A');
  await page.keyboard.type(text);
}

async function of(page: Page, campaign: string, name: string) {
  const { candidates } = await ask<Campaign>(page, 'GET', `campaigns/${campaign}`);
  const found = candidates.find(one => one.name.startsWith(name));
  if (!found) throw new Error(`${name} is not there`);
  return found;
}
